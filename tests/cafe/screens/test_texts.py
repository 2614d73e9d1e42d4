"""The texts of the pages: each that a page asks for is there, and each that is there is asked for.

Scripts make some keys of a beginning and a word of the API: those count by their beginning.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

import pytest
from starlette.requests import Request

from cafe.screens.files import static_files
from cafe.screens.pages import open_screens
from cafe.screens.texts import read_texts, texts_of
from cafe.setting_types import parse_origins

PAGES = sorted(read_texts("en").keys() - {"all"})
IMPORTED = re.compile(r'from "\./(\w+\.js)"')
LITERAL = re.compile(r'"(\w+)"')
ASKED = re.compile(r'\bt\("(\w+)"')
CHOSEN = re.compile(r'\bt\([^()"]*\? "(\w+)" : "(\w+)"')
COUNTED = re.compile(r'\bcount\("(\w+)"')
BEGUN = re.compile(r'`(\w+_)\$\{|"(\w+_)" ~')
WORD = re.compile(r'\bwords?\("(\w+)"')
FILLED_IN = re.compile(r"\bt\.(\w+)")
EXTENDED = re.compile(r'"(\w+\.html)"')


@cache
def script_of(page: str) -> str:
    """Return the scripts that a page loads, as one text."""
    texts: dict[str, str] = {}
    wanted = [f"{page}.js"]
    while wanted:
        name = wanted.pop()
        if name not in texts:
            texts[name] = static_files()[name].content.decode()
            wanted += IMPORTED.findall(texts[name])
    return "\n".join(texts.values())


@cache
def template_of(page: str) -> str:
    """Return the templates that a page is made of, as one text."""
    folder = files("cafe.screens") / "templates"
    own = (folder / f"{page}.html").read_text(encoding="utf-8")
    others = ((folder / name).read_text(encoding="utf-8") for name in EXTENDED.findall(own))
    return "\n".join((own, *others))


def asked_by(page: str) -> set[str]:
    """Return the keys that a page surely asks for."""
    script = script_of(page)
    chosen = {key for both in CHOSEN.findall(script) for key in both}
    return {
        *ASKED.findall(script),
        *chosen,
        *counted_by(page),
        *FILLED_IN.findall(template_of(page)),
    }


def counted_by(page: str) -> set[str]:
    """Return the keys that a page asks for by a number."""
    return {f"{key}_{n}" for key in COUNTED.findall(script_of(page)) for n in ("one", "other")}


def may_ask(page: str, key: str) -> bool:
    """Return whether a page may ask for a key, also by a name that it keeps, or in parts."""
    script, template = script_of(page), template_of(page)
    begun = {one or other for one, other in BEGUN.findall(script + template)}
    beginnings = begun | {f"{word}_" for word in WORD.findall(script)}
    return (
        key in asked_by(page)
        or key in LITERAL.findall(script)
        or any(key.startswith(beginning) for beginning in beginnings)
    )


@pytest.mark.parametrize("page", PAGES)
def test_each_text_that_a_page_asks_for_is_there(page: str) -> None:
    assert asked_by(page) - texts_of(page, "en").keys() == set()


@pytest.mark.parametrize("page", PAGES)
def test_each_text_of_a_page_is_asked_for(page: str) -> None:
    assert [key for key in read_texts("en")[page] if not may_ask(page, key)] == []


def test_each_text_of_all_pages_is_asked_for_by_one() -> None:
    texts = read_texts("en")["all"]
    assert [key for key in texts if not any(may_ask(page, key) for page in PAGES)] == []


async def test_pages_of_the_origins_in_the_setting_may_show_ours_in_a_frame() -> None:
    home = open_screens(parse_origins("https://b.example, https://a.example")).home
    assert home is not None
    response = await home(Request({"type": "http", "headers": [], "query_string": b""}))
    policy = response.headers["content-security-policy"]
    assert policy.endswith("; frame-ancestors https://a.example https://b.example")
