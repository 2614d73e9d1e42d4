"""The command line as a whole: what it lists, and what it imports."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from inspect import getdoc
from pathlib import Path

import pytest
import typer

from cafe.cli.commands import COMMANDS, EXTRA, hidden, make_app, run_command

OF_NO_USE_TO_A_SHOP = {
    "cafe.players.baristas",
    "cafe.cli.board",
    "cafe.players.client",
    "cafe.players.customers",
    "cafe.operations.day",
    "cafe.cli.db",
    "cafe.cli.options",
    "cafe.operations.report",
    "cafe.players.rush",
    "cafe.players.shop_process",
    "dotenv",
    "httpcore",
    "httpx",
    "plotext",
    "pydantic_settings",
    "pygments",
    "pytest",
    "rich",
}
SERVE_AND_CLOSE = """
import atexit, json, os, signal, sys

def tell():
    print(json.dumps(sorted(sys.modules)))

atexit.register(tell)
from cafe.cli import main
sys.argv[1:] = json.loads(sys.argv[1])
main()
"""


def imported_by(*arguments: str) -> set[str]:
    """Give what a process has imported when it ends that ran this command line."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("CAFE_")}
    run = subprocess.Popen(
        [sys.executable, "-c", SERVE_AND_CLOSE, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=others | {"CAFE_DATABASE_URL": "sqlite://", "CAFE_CLOSING_SECONDS": "0.1"},
    )
    assert run.stdout is not None
    with run, run.stdout as out:
        while not (line := out.readline()).startswith(b"["):
            assert line, arguments
            if line.startswith(b"worker"):
                run.terminate()
        return set(json.loads(line))


def test_a_shop_imports_nothing_that_only_players_or_reports_need() -> None:
    imported = imported_by("serve", "--client-bind", "127.0.0.1:0", "--worker-bind", "127.0.0.1:0")
    assert "cafe.shop.shop" in imported
    assert imported & OF_NO_USE_TO_A_SHOP == set()


@pytest.mark.parametrize("command", ["baristas", "customers"])
def test_a_player_imports_no_shop(command: str) -> None:
    imported = imported_by(command, "--help")
    assert f"cafe.players.{command}" in imported
    assert {
        name for name in imported if name.startswith(("cafe.shop.shop", "cafe.ledger"))
    } == set()


def test_help_lists_every_command_with_the_first_sentence_of_its_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert run_command(["--help"]) == 0
    printed = capsys.readouterr().out
    for name, module in COMMANDS.items():
        command = getattr(importlib.import_module(module), name)
        about = command.info.help if isinstance(command, typer.Typer) else getdoc(command)
        assert name in printed
        assert str(about).partition("\n")[0] in printed


def test_a_command_shows_the_same_help_alone_and_among_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in COMMANDS:
        assert run_command([name, "--help"]) == 0
        alone = capsys.readouterr().out
        make_app(list(COMMANDS))([name, "--help"], standalone_mode=False)
        assert capsys.readouterr().out == alone


WITHOUT_THE_EXTRA = """
import json, sys
sys.modules.update(dict.fromkeys(json.loads(sys.argv[1])))
sys.argv[1:] = json.loads(sys.argv[2])
from cafe.cli import main
main()
"""


def without_the_extra(*arguments: str) -> tuple[int, str, str]:
    """Run a command line as if `trio-cafe[players]` were not installed; give code, out and err."""
    hiding = [json.dumps(sorted(EXTRA)), json.dumps(arguments)]
    command = [sys.executable, "-c", WITHOUT_THE_EXTRA, *hiding]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    "arguments", [["baristas", "3"], ["customers", "--from", "127.0.0.5"], ["rush", "--speed=200"]]
)
def test_a_player_without_the_extra_says_in_one_line_what_to_install(arguments: list[str]) -> None:
    said = f"cafe: `cafe {arguments[0]}` needs httpx: pip install 'trio-cafe[players]'\n"
    assert without_the_extra(*arguments) == (2, "", said)


def test_help_lists_every_command_without_the_extra_too() -> None:
    code, printed, said = without_the_extra("--help")
    assert (code, said) == (0, "")
    assert all(name in printed for name in COMMANDS)
    assert printed.count("Needs the extra `players` of trio-cafe.") == 3


@pytest.mark.parametrize("command", ["serve", "db", "report"])
def test_what_a_server_needs_does_without_the_extra(command: str) -> None:
    code, printed, said = without_the_extra(command, "--help")
    assert (code, said) == (0, "")
    assert "trio-cafe[players]" not in printed


def test_every_module_of_a_command_is_there() -> None:
    assert all(importlib.util.find_spec(module) for module in COMMANDS.values())


def test_a_hidden_package_seems_not_to_be_installed_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xyzzy.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    with hidden(["xyzzy", "sys"]):
        with pytest.raises(ImportError):
            importlib.import_module("xyzzy")
        assert importlib.import_module("sys") is sys
    importlib.import_module("xyzzy")
    with hidden(["xyzzy"]):
        importlib.import_module("xyzzy")
    del sys.modules["xyzzy"]


def test_a_command_that_is_not_there_is_told_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["servee"]) == 2
    assert capsys.readouterr().err == "cafe: No such command 'servee'. Did you mean 'serve'?\n"
