"""Every page before anything has happened: languages, widths, headers, barriers."""

from __future__ import annotations

import httpx
import pytest

from cafe.screens.texts import LANGUAGES, read_texts
from tests.screens.browser import Visitor, at_each_width, barriers, overflows
from tests.system.shop import Shop

PAGES = {
    "board": "client",
    "": "client",
    "courier": "client",
    "barista": "worker",
    "manager": "worker",
}
"""By page, the app that serves it; that at `/` has no name."""


def url_of(shop: Shop, page: str) -> str:
    """Return the address of a page."""
    return f"{getattr(shop, PAGES[page])}/{page}"


def test_all_languages_have_the_same_texts() -> None:
    keys = {
        language: {(page, key) for page, texts in read_texts(language).items() for key in texts}
        for language in LANGUAGES
    }
    assert all(one == keys["en"] for one in keys.values())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_barriers_and_fits_its_window(
    open_house: Shop, visitor: Visitor, page: str
) -> None:
    opened = visitor.open(url_of(open_house, page))
    opened.wait_for_load_state("load")
    for width in at_each_width(opened):
        assert barriers(opened) == [], width
        assert not overflows(opened), width


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_inline_scripts_and_lets_no_other_site_in(
    open_house: Shop, page: str
) -> None:
    answer = httpx.get(url_of(open_house, page), headers={"accept": "text/html"})
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "set-cookie" not in answer.headers
