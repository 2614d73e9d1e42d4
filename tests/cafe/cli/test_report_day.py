"""What `cafe report` prints, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from cafe.cli.commands import run_command
from cafe.ledger.database import upgrade
from cafe.ledger.store import open_store
from tests.cafe.ledger.scribe import Scribe

EIGHT = datetime(2026, 11, 20, 8).astimezone().timestamp()
Report = Callable[..., tuple[int, str, str]]


@pytest.fixture
def report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Report:
    """Give a function that runs `cafe report` on a day with three orders: code, out and err."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAFE_DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    upgrade("sqlite:///cafe.db")
    with create_engine("sqlite:///cafe.db", poolclass=NullPool).begin() as connection:
        scribe = Scribe(connection)
        first, second, third = (scribe.place(EIGHT + n) for n in range(3))
        first = scribe.start(first, EIGHT + 5, "B[red]o\x1b[2J")
        scribe.leave(third, EIGHT + 6)
        scribe.finish(first, EIGHT + 35)
        scribe.start(second, EIGHT + 36, None)

    def give(*arguments: str) -> tuple[int, str, str]:
        code = run_command(["report", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return give


def rows_of(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines()]


def test_a_day_is_told_in_figures_and_as_a_picture(report: Report) -> None:
    code, out, err = report("--day", "2026-11-20")
    assert (code, err) == (0, "")
    assert out.startswith("Friday, 20 November 2026\n")
    rows = rows_of(out)
    assert ["orders", "3"] in rows
    assert ["ready", "1"] in rows
    assert ["not", "ready", "yet", "1"] in rows
    assert ["cancelled", "1"] in rows
    assert ["wait", *["35.0", "s"] * 3] in rows
    assert ["brewing", *["30.0", "s"] * 3] in rows
    assert ["(no", "name)", "0", "0", "0", "-", "-", "-"] in rows
    assert "orders by the hour" in out
    assert "█" in out


def test_a_barista_s_name_is_text_and_nothing_else(report: Report) -> None:
    _, out, _ = report("--day", "2026-11-20")
    assert ["B[red]o\\x1b[2J", "1", "0", "0", *["30.0", "s"] * 3] in rows_of(out)
    assert "\x1b" not in out


def test_a_machine_gets_json(report: Report) -> None:
    code, out, err = report("--day", "2026-11-20", "--json")
    assert (code, err) == (0, "")
    half_a_minute = {"median": 30.0, "p95": 30.0, "worst": 30.0}
    assert json.loads(out) == {
        "day": "2026-11-20",
        "orders": 3,
        "ready": 1,
        "collected": 0,
        "not_ready_yet": 1,
        "cancelled": 1,
        "cut_off": 0,
        "abandoned": 0,
        "brewed_in_vain": 0,
        "wait_seconds": {"median": 35.0, "p95": 35.0, "worst": 35.0},
        "brewing_seconds": half_a_minute,
        "baristas": [
            {
                "name": "B[red]o\x1b[2J",
                "ready": 1,
                "released": 0,
                "lapsed": 0,
                "brewing_seconds": half_a_minute,
            },
            {"name": None, "ready": 0, "released": 0, "lapsed": 0, "brewing_seconds": None},
        ],
        "hours": [{"start": datetime.fromtimestamp(EIGHT).astimezone().isoformat(), "orders": 3}],
    }


def test_a_day_without_orders_is_a_sentence(report: Report) -> None:
    assert report("--day", "2026-11-01") == (
        0,
        "Nobody ordered anything on Sunday, 1 November 2026.\n",
        "",
    )
    assert json.loads(report("--day", "2026-11-01", "--json")[1])["orders"] == 0


def test_without_a_day_it_is_today(report: Report) -> None:
    today = datetime.now().astimezone().date()
    assert json.loads(report("--json")[1])["day"] == today.isoformat()


def test_it_is_told_while_the_shop_runs(report: Report) -> None:
    store = open_store("sqlite:///cafe.db")
    assert report("--day", "2026-11-20")[0] == 0
    store.close()


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "0001-01-01", "9999-12-31"])
def test_what_is_no_day_is_one_line(report: Report, day: str) -> None:
    said = f"cafe: Invalid value for '--day': {day} is not a day like 2026-11-21.\n"
    assert report("--day", day) == (2, "", said)


def test_a_database_that_is_not_there_is_one_line(report: Report) -> None:
    said = "cafe: none.db cannot be read: No such file or directory.\n"
    assert report("--database-url", "sqlite:///none.db") == (2, "", said)
    assert not Path("none.db").exists()
