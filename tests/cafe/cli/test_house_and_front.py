"""`cafe house` and `cafe front`: what is wrong with their settings is one line, and exit code 2."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from cafe.cli.opening import Run, open_shop
from cafe.shop.front import run_front
from cafe.shop.house import run_house
from tests.cafe.cli.running import run_command

BUS = "redis://127.0.0.1:1/0"
"""Nothing listens there."""
SERVER = "postgresql+psycopg://127.0.0.1/cafe"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start in a folder without toml files."""
    monkeypatch.chdir(tmp_path)


def fails_with(capsys: pytest.CaptureFixture[str], run: Run, **options: str) -> str:
    """Run a process, which must fail with exit code 2; return the one line that it prints."""
    ports = dict.fromkeys(("client_bind", "worker_bind", "house_bind"), "127.0.0.1:0")
    assert open_shop({"log_format": "console", **ports, **options}, run=run) == 2
    lines = capsys.readouterr().err.splitlines()
    (line,) = (one for one in lines if one.startswith("cafe: "))
    assert "Traceback" not in "".join(lines)
    return line


def test_a_house_without_a_bus_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = fails_with(capsys, run_house, database_url=SERVER)
    assert line == "cafe: A house needs CAFE_BUS (--bus), such as redis://127.0.0.1:6379/0"


def test_a_front_without_a_bus_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = fails_with(capsys, partial(run_front, only=None))
    assert line == "cafe: A front needs CAFE_BUS (--bus), such as redis://127.0.0.1:6379/0"


def test_a_house_on_sqlite_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = fails_with(capsys, run_house, bus=BUS, database_url=f"sqlite:///{tmp_path}/cafe.db")
    assert line == "cafe: No process can stand by for a ledger on SQLite: keep it in PostgreSQL."


@pytest.mark.parametrize(
    "bus",
    [
        "http://127.0.0.1:6379/0",
        "127.0.0.1:6379",
        "redis://",
        "redis://127.0.0.1:99999/0",
        "redis://127.0.0.1:6379/orders",
        "redis://:secret@[127.0.0.1/0",
    ],
)
@pytest.mark.parametrize("run", [run_house, run_front])
def test_a_wrong_url_of_the_bus_is_one_line_that_does_not_show_its_password(
    capsys: pytest.CaptureFixture[str], run: Run, bus: str
) -> None:
    line = fails_with(capsys, run, bus=bus, database_url=SERVER)
    assert line.startswith("cafe: --bus: a bus's URL ")
    assert "secret" not in line


@pytest.mark.parametrize("shops", ["9th", "north=", "north,north"])
def test_a_wrong_list_of_shops_is_one_line(capsys: pytest.CaptureFixture[str], shops: str) -> None:
    line = fails_with(capsys, run_front, bus=BUS, shops=shops)
    assert line.startswith("cafe: --shops: ")


def test_a_front_serves_one_of_two_ports_or_both_but_not_only_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["front", "--client-only", "--worker-only"]) == 2
    line = "cafe: --client-only and --worker-only exclude each other: give one of them\n"
    assert capsys.readouterr().err == line
