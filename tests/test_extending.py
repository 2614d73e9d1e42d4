"""What docs/extending.md shows are its departments, and they work in the café as the page says."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests.extending import DEPARTMENT, PAGE, blocks, change, move_in

SOURCES = sorted(path for path in DEPARTMENT.glob("*.py") if not path.name.startswith("test_"))
TESTS = sorted(DEPARTMENT.glob("test_*.py"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the project that has both departments."""
    folder = tmp_path_factory.mktemp("tree")
    move_in(folder)
    return folder


def run_pytest(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run some of the tests of a copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_line_of_the_department_is_shown(path: Path) -> None:
    shown = "".join(text for name, text in blocks("python") if f"/{path.name}" in name)
    missing = [line for line in path.read_text("utf-8").splitlines() if line not in shown]
    assert missing == [] or path.name == "__init__.py"


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_something_of_each_of_its_tests_is_shown(path: Path) -> None:
    assert any(f"/{path.name}" in name for name, _ in blocks("python"))


@pytest.mark.parametrize(
    ("text", "diff"),
    [("a\nb\n", " a\n-c\n"), ("a\nb\na\nb\n", " a\n-b\n"), ("a\nb\n", "-a\n@@\n-c\n")],
)
def test_a_change_of_what_is_not_there_once_is_found(text: str, diff: str) -> None:
    assert change("a\nb\nc\n", " a\n-b\n@@\n c\n+d\n") == "a\nc\nd\n"
    with pytest.raises(AssertionError):
        change(text, diff)


def test_in_the_cafe_its_tests_and_those_of_the_shop_pass(tree: Path) -> None:
    passed = run_pytest(
        tree,
        "--schedules=1",
        "tests/cafe/music",
        "tests/cafe/tips",
        "tests/cafe/cli/test_database.py",
        "tests/cafe/shop/test_apps.py",
        "tests/cafe/shop/test_shop.py",
        "tests/test_layout.py::test_imports_point_only_downward",
        "tests/test_layout.py::test_each_floor_and_each_model_is_there",
        "tests/test_layout.py::test_only_the_shop_starts_actors_and_groups",
    )
    assert passed.returncode == 0, passed.stdout


def against_the_direction(tree: Path, department: str = "music") -> list[str]:
    """List what the layout's own test would find in a department, in a copy."""
    spec = spec_from_file_location("layout_of_the_copy", tree / "tests" / "test_layout.py")
    assert spec is not None
    assert spec.loader is not None
    layout = module_from_spec(spec)
    sys.modules[spec.name] = layout
    spec.loader.exec_module(layout)
    sources = sorted((tree / "cafe" / department).glob("*.py"))
    found = [one for path in sources for one in layout.imports_of(path)]
    return [f"{one}: {why}" for one in found if (why := layout.objection(one))]


def test_in_the_cafe_it_keeps_the_directions_and_breaking_them_is_told(tree: Path) -> None:
    assert against_the_direction(tree) == against_the_direction(tree, "tips") == []
    playlist = tree / "cafe" / "music" / "playlist.py"
    right = playlist.read_text("utf-8")
    playlist.write_text(right.replace("\nfrom coll", "\nimport trio\nfrom coll"), "utf-8")
    (told,) = against_the_direction(tree)
    playlist.write_text(right, "utf-8")
    assert f"`{told}`" in PAGE.read_text("utf-8")
