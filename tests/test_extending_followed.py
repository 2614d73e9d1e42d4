"""Music moves into the house as docs/extending.md says, in a copy of the tree; then all is green.

Rule: what the page says is done word by word, in its order. Of `make check` ruff is run, and of
the tests those that compare all departments with a list. Types are checked where music is an
example.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.extending import ROOT, blocks, change

pytestmark = pytest.mark.once

FOLDERS = ("actors", "bench", "cafe", "docs", "tests")
HERE = "in the house"
"""Stands above the commands that are run here."""
LISTING = (
    "tests/cafe/music",
    "tests/test_layout.py::test_imports_point_only_downward",
    "tests/test_layout.py::test_each_floor_and_each_model_is_there",
    "tests/test_layout.py::test_the_house_has_few_rooms_and_modules",
    "tests/test_layout.py::test_only_the_shop_starts_actors_and_groups",
    "tests/test_extending.py::test_with_the_diff_for_the_shop_the_house_opens_with_music",
    "tests/test_extending.py::test_with_the_diff_for_the_layout_there_is_room_for_music",
    "tests/test_docs.py::test_make_docs_would_change_nothing",
    "tests/test_roles.py::test_every_route_lets_in_the_roles_of_the_table",
)


def run(*command: str, folder: Path) -> None:
    """Run a command, which has to succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the tree in which the page was followed."""
    copy = tmp_path_factory.mktemp("followed")
    # With what Python has compiled, which saves seconds, but for what it writes at this moment.
    without = shutil.ignore_patterns("*.pyc.*")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=without)
    for file in (path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"):
        shutil.copy(file, copy)
    (copy / ".venv").symlink_to(sys.prefix)
    if (copy / "cafe" / "music").exists():
        pytest.skip("music is in the house already")
    for block in blocks("sh", "diff"):
        if block.language == "diff":
            file = copy / block.comment
            file.write_text(change(file.read_text("utf-8"), block.text), "utf-8")
        elif block.comment == HERE:
            run("sh", "-e", "-c", block.text, folder=copy)
    return copy


def test_ruff_has_nothing_to_say(followed: Path) -> None:
    run(sys.executable, "-m", "ruff", "check", ".", folder=followed)
    run(sys.executable, "-m", "ruff", "format", "--check", ".", folder=followed)


def test_the_tests_that_compare_a_department_with_a_list_pass(followed: Path) -> None:
    quick = ("-q", "--schedules=1", "-p", "no:cacheprovider", "-m", "not once")
    run(sys.executable, "-m", "pytest", *quick, *LISTING, folder=followed)
