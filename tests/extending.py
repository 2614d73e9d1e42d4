"""What the tests of docs/extending.md share: the blocks of the page, and its actor done wrong.

Rule: a block of diff is applied as it stands, so a reader who follows the page gets what the tests
get.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "extending.md"
EXAMPLES = ROOT / "docs" / "examples"

FENCE = re.compile(r"^<!-- ([^\n]+) -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GAP = "@@\n"


def blocks(language: str) -> list[tuple[str, str]]:
    """List the page's blocks in a language, each with the comment above it."""
    found = FENCE.findall(PAGE.read_text("utf-8"))
    return [(comment, text) for comment, spoken, text in found if spoken == language]


def change(text: str, diff: str) -> str:
    """Apply a diff without line numbers; what a hunk changes must stand in the text just once."""
    for hunk in diff.split(GAP):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(before) == 1, f"{text.count(before)} times:\n{before}"
        text = text.replace(before, after)
    return text


class Workshop:
    """Makes modules of the Jukebox that have something wrong in the place of something right."""

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
