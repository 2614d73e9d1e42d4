"""What docs/extending.md shows are its departments, and its diffs add music as the page says."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio
from prometheus_client import CollectorRegistry

from actors import open_system
from cafe.settings import read_settings
from cafe.shop.departments import DEPARTMENTS
from cafe.shop.shop import open_house
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import open_ledger
from tests.extending import EXAMPLES, PAGE, ROOT, Block, blocks, change
from tests.imports import SOURCES, is_marker, parsed

MUSIC = EXAMPLES / "music"
"""The department that the reader adds."""
MENU = ROOT / "cafe" / "menu"
"""The durable one, which is in the house."""
FILES = sorted(
    path for folder in (MUSIC, MENU) for path in folder.glob("*.py") if path.name != "__init__.py"
)
MODULES = [path for path in FILES if path.parent == MUSIC and not path.name.startswith("test_")]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_each_file_of_a_department_is_shown_in_part_or_linked(path: Path) -> None:
    shown = {one.comment.removesuffix(", in part") for one in blocks("python")}
    links = re.findall(r"\]\(([^)#\s]+)\)", PAGE.read_text("utf-8"))
    assert named(path) in shown or path in [(PAGE.parent / link).resolve() for link in links]


@pytest.mark.parametrize(
    ("text", "diff"),
    [("a\nb\n", " a\n-c\n"), ("a\nb\na\nb\n", " a\n-b\n"), ("a\nb\n", "-a\n@@\n-c\n")],
)
def test_a_diff_whose_lines_are_not_in_the_text_just_once_fails(text: str, diff: str) -> None:
    assert change("a\nb\nc\n", " a\n-b\n@@\n c\n+d\n") == "a\nc\nd\n"
    with pytest.raises(AssertionError):
        change(text, diff)


def title(block: Block) -> str:
    """Return the file of a block, and where in the page it stands."""
    return f"{block.comment.split(',')[0]}-{block.start}"


def names_of_others(file: str) -> set[str]:
    """Return the names that a file of a department imports from the café or its tests.

    Not from its own department, nor from the toolkit, which the page wants to be known.
    """
    own, found = f".{Path(file).parent.name}.", set[str]()
    for node in ast.walk(parsed(ROOT / file)):
        if isinstance(node, ast.ImportFrom):
            module = f"{node.module}."
            if module.startswith(("tests.", "actors.testing.")) or (
                module.startswith("cafe.") and own not in module
            ):
                found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("block", blocks("python"), ids=title)
def test_what_a_block_uses_of_others_is_introduced_above_it(block: Block) -> None:
    above = PAGE.read_text("utf-8")[: block.start]
    prose = re.sub(r"^```.*?^```$", "", above, flags=re.MULTILINE | re.DOTALL)
    introduced = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", prose))))
    used = names_of_others(block.comment.removesuffix(", in part"))
    assert used & set(re.findall(r"\w+", block.text)) - introduced == set()


def in_examples(text: str) -> str:
    """Return a text with music where it is, not in the house."""
    return text.replace("cafe/music", "docs/examples/music").replace(
        "cafe.music", "docs.examples.music"
    )


def changed(path: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a module as the page's diff makes it, with music where it is."""
    [diff] = [one.text for one in blocks("diff") if one.comment == path]
    file = ROOT / in_examples(path)
    text = in_examples(change(file.read_text("utf-8"), diff))
    module = ModuleType("changed")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102 - it is ours
    return module


@pytest.mark.parametrize("diff", blocks("diff"), ids=title)
def test_a_diff_changes_what_another_department_has_changed_and_nothing_twice(diff: Block) -> None:
    text = (ROOT / diff.comment).read_text("utf-8")
    with_music = change(text, diff.text)
    assert change(with_music, diff.text) == with_music
    plants = diff.text.replace("music", "plants").replace("songs", "plants")
    with_both = change(change(text, plants), diff.text)
    for line in diff.text.splitlines():
        assert line[0] != "+" or line[1:] in with_both.splitlines()
    assert change(with_both, diff.text) == with_both


async def test_with_the_diff_for_the_shop_the_house_opens_with_music(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001 - time passes at once
) -> None:
    shop = changed("cafe/shop/departments.py", monkeypatch)
    assert shop.DEPARTMENTS == DEPARTMENTS
    async with open_ledger(FaultyStore()) as ledger, open_system() as system:
        settings = read_settings({"database_url": "sqlite://", "closing_seconds": "0.1"})
        house = await open_house(settings, system, ledger, CollectorRegistry(), shop.OURS)
        names = [offer.name for offer in house.offers]
        assert {"music", *(one.name for one in DEPARTMENTS)} <= set(names)
        assert len(names) == len(set(names))
        assert await house.why_not_ready() is None
        await house.close()


TEST_LAYOUT = "tests/test_layout.py"


@pytest.fixture
def layout(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the test of the layout with music on its floor."""
    return changed(TEST_LAYOUT, monkeypatch)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_with_the_diff_for_the_layout_each_module_keeps_the_directions(
    layout: Any, path: Path
) -> None:
    found = [(str(one), layout.objection(one)) for one in layout.imports_of(path)]
    assert [(one, why) for one, why in found if why is not None] == []
    assert layout.room_of(named(path)) in layout.DEPARTMENTS


def test_with_the_diff_for_the_layout_an_import_against_the_directions_is_found(
    layout: Any,
) -> None:
    playlist = layout.Import("docs/examples/music/playlist.py", 8, "trio")
    said = f"{playlist}: {layout.objection(playlist)}".replace("docs/examples/", "cafe/")
    assert f"`{said}`" in PAGE.read_text("utf-8")
    jukebox = layout.Import("docs/examples/music/jukebox.py", 1, "cafe.orders.queue")
    assert layout.objection(jukebox) is not None


def test_with_the_diff_for_the_layout_there_is_room_for_music(layout: Any) -> None:
    layout.test_each_floor_and_each_model_is_there()
    assert len(layout.ROOMS) <= layout.MOST_ROOMS
    modules = [path for path in SOURCES if not is_marker(path)]
    assert len(modules) + len(MODULES) <= layout.MOST_MODULES
