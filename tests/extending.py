"""What docs/extending.md shows: done in a copy of the project, and its first actor done wrong.

Rule: a block of shell is run as it stands, a block of diff is applied as it stands. So whoever
follows the page gets what the tests get.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "extending.md"
DEPARTMENT = ROOT / "docs" / "examples" / "music"
COPIED = ("actors", "cafe", "docs", "tests", "pyproject.toml", "README.md")

FENCE = re.compile(r"^<!-- ([^\n]+) -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOVE = "into the café"
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


def move_in(tree: Path) -> None:
    """Copy the project to a folder, and do there all that the page says, from its top down."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, tree / name)
    (tree / ".venv").symlink_to(sys.prefix)
    for comment, language, text in FENCE.findall(PAGE.read_text("utf-8")):
        if (comment, language) == (MOVE, "sh"):
            script = ["/bin/sh", "-e", "-c", text]
            subprocess.run(script, cwd=tree, check=True, capture_output=True)
        elif language == "diff":
            path = tree / comment
            path.write_text(change(path.read_text("utf-8"), text), "utf-8")


class Workshop:
    """Makes Jukeboxes that have something wrong in the place of something right."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "wrong_jukebox.py"

    def write(self, right: str, wrong: str) -> None:
        """Write the wrong module."""
        source = (DEPARTMENT / "jukebox.py").read_text("utf-8")
        assert source.count(right) == 1
        self.file.write_text(source.replace(right, wrong), "utf-8")

    def make(self, right: str, wrong: str) -> Any:
        """Import the wrong module."""
        self.write(right, wrong)
        return importlib.import_module(self.file.stem)
