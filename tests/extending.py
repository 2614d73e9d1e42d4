"""Helpers of the tests of docs/extending.md: the page's blocks, and its actor with mistakes.

Rule: a block of diff is applied unchanged, so a reader who follows the page gets the same files as
the tests.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "extending.md"
EXAMPLES = ROOT / "docs" / "examples"

FENCE = re.compile(r"^<!-- ([^\n]+) -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GAP = "@@\n"


class Block(NamedTuple):
    """A block of the page: the comment above it, its language and text, and where it begins."""

    comment: str
    language: str
    text: str
    start: int


def blocks(*languages: str) -> list[Block]:
    """List the page's blocks in some languages, in the order of the page."""
    found = FENCE.finditer(PAGE.read_text("utf-8"))
    listed = [Block(match[1], match[2], match[3], match.start()) for match in found]
    return [one for one in listed if one.language in languages]


def change(text: str, diff: str) -> str:
    """Apply a diff without line numbers; the lines that a hunk changes must be in the text once.

    A hunk that only adds lines changes nothing if the text has all of them already, so that the
    tests of a reader who has followed the page still pass.
    """
    before = set(text.splitlines(keepends=True))
    for hunk in diff.split(GAP):
        lines = hunk.splitlines(keepends=True)
        changed = [line for line in lines if line[0] != " "]
        if all(line[0] == "+" and line[1:] in before for line in changed):
            continue
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(old) == 1, f"{text.count(old)} times:\n{old}"
        text = text.replace(old, new)
    return text


class Workshop:
    """Makes modules of the Jukebox in which a right part is replaced by a wrong one."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "wrong_jukebox.py"

    def write(self, *changes: tuple[str, str]) -> None:
        """Write the module, with each right part replaced by a wrong one."""
        source = (EXAMPLES / "music" / "jukebox.py").read_text("utf-8")
        for right, wrong in changes:
            assert source.count(right) == 1
            source = source.replace(right, wrong)
        self.file.write_text(source, "utf-8")

    def make(self, right: str, wrong: str) -> Any:
        """Import the module that has this one mistake."""
        self.write((right, wrong))
        return importlib.import_module(self.file.stem)
