"""The command line as a whole: what it lists and imports, and how a command ends."""

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

from cafe.cli.commands import COMMANDS, attribute_of, hidden, make_app, run
from cafe.players.client import UnreachableError
from tests.cafe.cli.running import run_command

NOT_FOR_A_SERVER = {
    "cafe.cli.database",
    "cafe.operations.charts",
    "cafe.operations.report",
    "cafe.players",
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

def print_modules():
    print(json.dumps(sorted(sys.modules)))

atexit.register(print_modules)
from cafe.cli import main
sys.argv[1:] = json.loads(sys.argv[1])
main()
"""


def imported_by(*arguments: str) -> set[str]:
    """Run this command line in a process; return the modules that it has imported when it exits."""
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


def test_a_server_imports_nothing_that_only_players_or_reports_need() -> None:
    imported = imported_by("serve", "--client-bind", "127.0.0.1:0", "--worker-bind", "127.0.0.1:0")
    assert "cafe.shop.shop" in imported
    assert imported & NOT_FOR_A_SERVER == set()


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
        command = getattr(importlib.import_module(module), attribute_of(name))
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


def test_every_module_of_a_command_is_there() -> None:
    assert all(importlib.util.find_spec(module) for module in COMMANDS.values())


def test_a_hidden_package_looks_as_if_it_were_not_installed_and_is_back_after_the_block(
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


def test_an_unknown_command_is_reported_with_the_nearest_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["servee"]) == 2
    assert capsys.readouterr().err == "cafe: No such command 'servee'. Did you mean 'serve'?\n"


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("baristas --brew 60-30", "60-30 begins above its end; did you mean 30-60?"),
        ("baristas --speed 0", "--speed"),
        ("baristas ten", "number"),
        ("baristas --orders 0", "--orders"),
        ("customers --groups x", "x is not a range"),
        ("customers 0", "number"),
        ("customers --url nowhere", "nowhere is not an address"),
        ("customers --from localhost", "localhost is not an IP address"),
        ("rush --attack 100000", "--attack"),
        ("rush --brew", "--brew"),
        ("brew", "brew"),
    ],
)
def test_a_wrong_input_is_one_clear_line_and_exit_code_2(
    command: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(command.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("cafe: ")
    assert printed.err.count("\n") == 1
    assert complaint in printed.err


@pytest.mark.parametrize("command", ["baristas", "customers", "rush"])
def test_help_shows_the_command_and_its_defaults(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([command, "--help"]) == 0
    printed = capsys.readouterr()
    assert f"{command} [OPTIONS]" in printed.out
    assert "[default: " in printed.out
    assert printed.err == ""


def test_cafe_alone_prints_its_help_and_nothing_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command([]) == 2
    printed = capsys.readouterr()
    assert "baristas" in printed.out
    assert printed.err == ""


def end(outcome: str) -> None:
    """End in the given way, as a command."""
    if outcome == "exit":
        raise typer.Exit(3)
    if outcome == "unreachable":
        raise UnreachableError("shop.test", "nobody\nis \x1b[31mthere", 10)


@pytest.mark.parametrize(
    ("outcome", "code", "complaint"),
    [
        ("success", 0, ""),
        ("exit", 3, ""),
        (
            "unreachable",
            1,
            "cafe: shop.test cannot be reached (nobody is \\x1b[31mthere); tried for 10 s.\n",
        ),
    ],
)
def test_the_outcome_of_a_command_is_its_exit_code(
    outcome: str, code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer()
    app.command()(end)
    assert run(app, [outcome]) == code
    assert capsys.readouterr().err == complaint
