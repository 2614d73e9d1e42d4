"""The command line as a whole: what it lists and imports, and how a command ends."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path

import pytest
import typer

from cafe.cli.commands import COMMANDS, attribute_of, loaded, run
from cafe.cli.imports import hidden
from cafe.players.client import UnreachableError
from tests.cafe.cli.running import run_command

NOT_FOR_A_SERVER = {
    "cafe.bus",
    "cafe.cli.database",
    "cafe.operations.report",
    "cafe.players",
    "coredis",
    "dotenv",
    "httpcore",
    "httpx",
    "msgspec",
    "plotext",
    "pydantic_settings",
    "pygments",
    "pytest",
    "rich",
}
MOST_MODULES = 300
"""Python and typer alone have 200."""
SERVE_AND_CLOSE = """
import atexit, json, os, signal, sys

def print_modules():
    print(json.dumps(sorted(name for name, module in sys.modules.items() if module)))

atexit.register(print_modules)
from cafe.cli import main
sys.argv = ["cafe", *json.loads(sys.argv[1])]
main()
"""


HEAVY = {
    "alembic",
    "fastapi",
    "httpx",
    "pydantic",
    "rich",
    "sqlalchemy",
    "starlette",
    "structlog",
    "trio",
}
"""Each takes longer to import than all that help and a TAB need."""
SETTINGS = {"pydantic"}
"""What the settings are made with: `cafe serve` has an option for each."""
MOST_WITH_SETTINGS = 600


def imported_by(*arguments: str, **variables: str) -> set[str]:
    """Run this command line in a process; return the modules that it has imported when it exits."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("CAFE_")}
    run = subprocess.Popen(
        [sys.executable, "-c", SERVE_AND_CLOSE, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=others | {"CAFE_DATABASE_URL": "sqlite://", "CAFE_CLOSING_SECONDS": "0.1"} | variables,
    )
    assert run.stdout is not None
    with run, run.stdout as out:
        while not (line := out.readline()).startswith(b"["):
            assert line, arguments
            if line.startswith(b"worker"):
                run.terminate()
        return set(json.loads(line))


def every_command() -> Iterator[tuple[str, ...]]:
    """Yield the words of each command and of each that is a command of one."""
    for name in COMMANDS:
        yield (name,)
        yield from ((name, inner) for inner in getattr(loaded(name), "commands", {}))


EVERY_COMMAND = list(every_command())


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], *([*words, "--help"] for words in EVERY_COMMAND)],
    ids=" ".join,
)
def test_the_version_and_help_import_little(arguments: list[str]) -> None:
    imports_little(imported_by(*arguments), *arguments)


def imports_little(imported: set[str], *words: str) -> None:
    settings = SETTINGS if {"serve", "house", "front"} & {*words} else set[str]()
    assert imported & HEAVY <= settings, words
    assert len(imported) < (MOST_WITH_SETTINGS if settings else MOST_MODULES), words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("typed", "found"),
    [("cafe re", "report"), ("cafe db ba", "backup"), ("cafe orders --w", "--watch")],
)
def test_a_tab_completes_commands_and_options_and_imports_little(
    shell: str, typed: str, found: str
) -> None:
    printed, imported = completed(shell, typed)
    assert found in printed
    assert "serve" not in printed
    imports_little(imported)


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
def test_a_tab_after_any_command_imports_little(words: tuple[str, ...]) -> None:
    printed, imported = completed("bash", f"cafe {' '.join(words)} --")
    assert "--help" in printed
    imports_little(imported, *words)


def completed(shell: str, typed: str) -> tuple[str, set[str]]:
    """Complete a command line as a shell does; return what is printed, and the modules imported."""
    words = typed.split()
    run = subprocess.run(
        [sys.executable, "-c", SERVE_AND_CLOSE, "[]"],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "_CAFE_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": typed,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        },
    )
    *printed, modules = run.stdout.splitlines()
    return "\n".join(printed), set(json.loads(modules))


def test_a_server_imports_nothing_that_only_players_or_reports_need() -> None:
    imported = imported_by("serve", "--client-bind", "127.0.0.1:0", "--worker-bind", "127.0.0.1:0")
    assert "cafe.shop.shop" in imported
    assert imported & NOT_FOR_A_SERVER == set()


@pytest.mark.parametrize("command", ["baristas", "customers"])
def test_a_player_imports_no_shop(command: str) -> None:
    imported = imported_by(command, "--url", "http://127.0.0.1:1", "--retry-for", "0")
    assert f"cafe.players.{command}" in imported
    assert {
        name for name in imported if name.startswith(("cafe.shop.shop", "cafe.ledger"))
    } == set()


def test_a_report_imports_no_web_framework(tmp_path: Path) -> None:
    imported = imported_by("report", CAFE_DATABASE_URL=f"sqlite:///{tmp_path}/cafe.db")
    assert "cafe.orders.queries" in imported
    assert imported & {"fastapi", "starlette", "structlog", "cafe.orders.customer_api"} == set()


def test_help_lists_every_command_with_the_first_line_of_its_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for name, (module, about) in COMMANDS.items():
        command = getattr(importlib.import_module(module), attribute_of(name))
        help_of_it = command.info.help if isinstance(command, typer.Typer) else getdoc(command)
        assert about == str(help_of_it).partition("\n")[0]
        assert f"{name} {about}" in printed


def test_help_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    for words in EVERY_COMMAND:
        assert run_command([*words, "--help"]) == 0
        printed = capsys.readouterr().out
        assert f"{words[-1]} [OPTIONS]" in printed
        assert re.search(r"<\w+>|<int|│", printed) is None, words
        _usage, *paragraphs = printed.split("\n\n")
        for paragraph in paragraphs[: paragraphs.index(first_list(paragraphs))]:
            *lines, _last = paragraph.splitlines()
            assert all(len(line) > 50 for line in lines), paragraph  # as the terminal breaks them


def first_list(paragraphs: list[str]) -> str:
    return next(part for part in paragraphs if part.startswith(("Options:", "Arguments:")))


def test_help_shows_numbers_as_numbers_and_choices_as_choices(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["serve", "--help"]) == 0
    printed = capsys.readouterr().out
    for shown in (
        "--lease-seconds NUMBER",
        "--max-waiting INTEGER",
        "--autopilot NUMBER",
        "--log-format auto|console|json",
        "--client-config FILE",
        "--worker-token TEXT",
    ):
        assert shown in printed


def test_every_module_of_a_command_is_there() -> None:
    assert all(importlib.util.find_spec(module) for module, _ in COMMANDS.values())


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
        ("baristas ten", "'NUMBER': Input should be a valid integer.\n"),
        ("providers --charges x", "'--charges': 'x' is not one of 'accept', "),
        ("baristas --orders 0", "--orders"),
        ("customers --groups x", "x is not a range"),
        ("customers 0", "NUMBER"),
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


def test_another_file_on_a_full_device_is_not_taken_for_standard_output() -> None:
    def fill() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    app = typer.Typer()
    app.command()(fill)
    with pytest.raises(OSError, match="No space left"):
        run(app, [])
