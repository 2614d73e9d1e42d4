"""Two distributions from this repository: the café, and the toolkit, which needs no café.

Rule: everything is made offline, as the image's first stage does it. What the toolkit may use
stands in a new environment, as links to what is installed here; nothing else is there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
ALONE = ("trio", "outcome")
"""What the toolkit needs, with what these need."""
WITH_PLUGIN = (*ALONE, "pytest", "pytest-trio")

PROGRAM = """
import sys

import trio
from actors import Actor, Message, open_system
from actors.instruments.slow_turns import SlowTurns
from actors.testing import Probe, run_seeded, settle


class Add(Message["Counter", int]): ...


class Counter(Actor):
    @Add.handler
    def add(self, _message: Add) -> int:
        return 42


async def main() -> None:
    async with open_system() as system:
        print(await (await system.start(Counter)).ask(Add()))


trio.run(main)
"""
TESTS = """
import pytest
import trio


@pytest.mark.schedules(20)
async def test_race() -> None:
    order = []

    async def note(name: str) -> None:
        order.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(note, "a")
        nursery.start_soon(note, "b")
    assert order == ["a", "b"]


@pytest.mark.schedules
async def test_time_is_virtual() -> None:
    await trio.sleep(86400)
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a program; return what it printed and how it ended, if not well."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr + (f"\nexit {done.returncode}" if done.returncode else "")


def with_their_needs(names: tuple[str, ...]) -> Iterator[Distribution]:
    """Yield distributions that are installed here, and all that they need."""
    wanted, seen = list(names), set[str]()
    while wanted:
        if (name := canonicalize_name(wanted.pop())) in seen:
            continue
        seen.add(name)
        yield (found := distribution(name))
        needs = [Requirement(line) for line in found.requires or ()]
        wanted += [one.name for one in needs if not one.marker or one.marker.evaluate()]


def environment(folder: Path, names: tuple[str, ...]) -> Path:
    """Make an environment that has these distributions and their needs; return its Python."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for one in with_their_needs(names):
        tops = {file.parts[0] for file in one.files or ()} - {"..", "__pycache__"}
        for top in tops:
            (packages / top).symlink_to(Path(str(one.locate_file(top))))
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build both wheels as the image does; return them by the package in them."""
    folder = tmp_path_factory.mktemp("wheels")
    options = ("--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(folder))
    said = run(sys.executable, "-m", "pip", "wheel", *options, "./actors", ".")
    found = sorted(folder.glob("*.whl"), reverse=True)  # trio_cafe_actors is the first
    assert len(found) == 2, said
    return dict(zip(("actors", "cafe"), found, strict=True))


def install(wheel: Path, python: Path) -> None:
    """Install a wheel, all of whose needs must be there."""
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    said = run(*pip, "install", "--no-index", "--quiet", wheel)
    assert said == ""


@pytest.mark.parametrize("package", ["actors", "cafe"])
def test_a_wheel_holds_its_package_alone_and_says_that_it_is_typed(
    wheels: dict[str, Path], package: str
) -> None:
    with ZipFile(wheels[package]) as files:
        names = [name for name in files.namelist() if ".dist-info/" not in name]
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".typed", ".lua"}
    }
    assert sources <= set(names)
    assert {name.split("/")[0] for name in names} == {package}


def test_the_toolkit_needs_trio_and_outcome_alone(wheels: dict[str, Path], tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", ALONE)
    install(wheels["actors"], python)
    assert run(python, "-I", "-c", PROGRAM, cwd=tmp_path) == "42\n"


def sweep(python: Path, folder: Path) -> str:
    """Run pytest as its own command does, which does not put the folder on Python's path."""
    (folder / "tests").mkdir(parents=True, exist_ok=True)
    (folder / "tests" / "test_some.py").write_text(TESTS, "utf-8")
    return run(python, "-P", "-m", "pytest", "-q", "-o", "trio_mode=true", cwd=folder)


def test_pytest_finds_the_plugin_where_the_toolkit_is_installed_and_where_it_is_copied(
    wheels: dict[str, Path], tmp_path: Path
) -> None:
    line = 'pytest_plugins = ["actors.testing.plugin"]\n'
    page = (ROOT / "actors" / "README.md").read_text("utf-8")
    assert f"`{line.strip()}`" in page
    python = environment(tmp_path / "venv", WITH_PLUGIN)
    shutil.copytree(ROOT / "actors", tmp_path / "copied" / "actors")
    (tmp_path / "copied" / "conftest.py").write_text(line, "utf-8")
    copied = sweep(python, tmp_path / "copied")
    install(wheels["actors"], python)
    installed = sweep(python, tmp_path / "installed")
    for said in (copied, installed):
        assert "1 failed, 1 passed" in said, said
        assert "test_some.py::test_race - [schedule " in said
