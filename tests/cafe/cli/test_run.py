"""Wrong inputs and expected failures: one line on stderr and an exit code."""

from __future__ import annotations

import pytest
import typer

from cafe.cli.commands import run_command
from cafe.cli.run import run
from cafe.players.client import UnreachableError


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


def play(outcome: str) -> None:
    """Play a command that ends in some way."""
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
def test_how_a_command_ends_is_its_exit_code(
    outcome: str, code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    player = typer.Typer()
    player.command()(play)
    assert run(player, [outcome]) == code
    assert capsys.readouterr().err == complaint
