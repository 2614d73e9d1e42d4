"""What the docs show is what the code does.

Rule: a block of Python in a page is below a comment that names a file, and is equal to that file,
or, "in part", to some lines of it. A block of text below "printed by" is the file's output.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

from actors.testing import run_seeded
from docs.generate import PART, PARTS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("actors/**/*.md"), *ROOT.glob("docs/**/*.md")])
EXAMPLES = sorted(
    path for path in ROOT.glob("docs/examples/*.py") if not path.name.startswith("__")
)
PROGRAMS = [path for path in EXAMPLES if "\nasync def main() -> None:" in path.read_text("utf-8")]

FENCE = re.compile(r"(?:<!-- ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"((?:\w+/)+\w+\.py)(, in part)?")
PRINTED = re.compile(r"printed by (docs/examples/\w+\.py)")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(#[^)\s]*)?\)")


class Block(NamedTuple):
    """A fenced block of a page, with the comment right above it."""

    page: Path
    comment: str
    language: str
    text: str


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks_of(page: Path) -> list[Block]:
    """List the fenced blocks of a page."""
    found = FENCE.findall(page.read_text("utf-8"))
    return [Block(page, comment, language, text) for comment, language, text in found]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def is_from_its_file(block: Block) -> bool:
    """Return whether a block of Python is the file that its comment names, or a part of it."""
    comment = SHOWN.fullmatch(block.comment)
    if comment is None or not (ROOT / comment[1]).is_file():
        return False
    lines = (ROOT / comment[1]).read_text("utf-8").splitlines(keepends=True)
    shown = block.text.splitlines(keepends=True)
    if comment[2] is None:
        return shown == lines
    return any(lines[start : start + len(shown)] == shown for start in range(len(lines)))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_each_block_of_python_is_the_file_that_it_names(page: Path) -> None:
    blocks = [block for block in BLOCKS if block.page == page and block.language == "python"]
    assert [block.text for block in blocks if not is_from_its_file(block)] == []


LINE = "            total = await counter.ask(Add(2))\n"


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        ("", LINE),
        ("docs/examples/missing.py", LINE),
        ("docs/examples/running.py", LINE),
        ("docs/examples/running.py, in part", LINE.replace("2", "3")),
        ("docs/examples/running.py, in part", LINE.lstrip()),
        ("docs/examples/running.py, in part", LINE.rstrip()),
    ],
)
def test_a_block_that_is_not_from_its_file_is_found(comment: str, text: str) -> None:
    right = Block(ROOT / "README.md", "docs/examples/running.py, in part", "python", LINE)
    assert is_from_its_file(right)
    assert not is_from_its_file(right._replace(comment=comment, text=text))


@pytest.mark.parametrize("path", EXAMPLES, ids=named)
def test_each_example_is_shown_in_a_page(path: Path) -> None:
    shown = [match[1] for block in BLOCKS if (match := SHOWN.fullmatch(block.comment))]
    assert named(path) in shown


@pytest.mark.parametrize("path", PROGRAMS, ids=named)
def test_each_example_prints_what_the_docs_show_under_every_schedule(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = [b for b in BLOCKS if (m := PRINTED.fullmatch(b.comment)) and m[1] == named(path)]
    module = import_module(f"docs.examples.{path.stem}")
    main: Callable[[], Awaitable[None]] = module.main
    for seed in range(20):
        run_seeded(seed, main)
        assert [block.text for block in expected] == [capsys.readouterr().out], f"schedule {seed}"


def test_what_is_said_to_be_printed_is_printed_by_an_example_that_runs() -> None:
    expected = {match[1] for block in BLOCKS if (match := PRINTED.fullmatch(block.comment))}
    assert expected == {named(path) for path in PROGRAMS}


def test_the_examples_that_are_tests_are_run_with_the_others() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "docs/examples" in settings["tool"]["pytest"]["ini_options"]["testpaths"]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_each_link_to_a_file_of_ours_leads_somewhere(page: Path) -> None:
    links = [path for path, _ in LINK.findall(page.read_text("utf-8")) if path]
    assert [link for link in links if not (page.parent / link).exists()] == []


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_each_link_to_a_heading_leads_to_one(page: Path) -> None:
    links = [
        ((page.parent / path).resolve() if path else page, anchor)
        for path, anchor in LINK.findall(page.read_text("utf-8"))
        if anchor
    ]
    assert [
        anchor for target, anchor in links if anchor.removeprefix("#") not in anchors_of(target)
    ] == []


def test_make_docs_would_change_nothing() -> None:
    check = [sys.executable, "-m", "docs.generate", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_part_that_is_generated_has_its_place_in_one_page() -> None:
    names = [found["name"] for page in PAGES for found in PART.finditer(page.read_text("utf-8"))]
    assert sorted(names) == sorted(PARTS)
