"""What `cafe db` and `cafe report` print, and how they end."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from math import inf
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from cafe.ledger.checking import generic_checks
from cafe.ledger.database import upgrade
from cafe.ledger.store import open_store
from cafe.ledger.tables import metadata, newest
from cafe.shop.departments import DEPARTMENTS
from tests.cafe.cli.running import run_command
from tests.cafe.ledger.order_histories import RowWriter, Tickets, cancel, finish, start

URL = "sqlite:///cafe.db"
PROMISES = 1 + len(generic_checks(DEPARTMENTS)) + sum(len(one.checks) for one in DEPARTMENTS)
Command = Callable[..., tuple[int, str, str]]
EIGHT = datetime(2026, 11, 20, 8).astimezone().timestamp()


@pytest.fixture
def db(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs `cafe db` in an empty folder: code, out and err."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAFE_DATABASE_URL", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_command(["db", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def fill(orders: int) -> None:
    upgrade(URL)
    with create_engine(URL, poolclass=NullPool).begin() as connection:
        rows, tickets = RowWriter(connection), Tickets()
        for number in range(orders):
            rows.write(tickets.place(at=1_795_000_000.0 + number))


def test_check_prints_every_promise_of_a_sound_database(db: Command) -> None:
    fill(2)
    code, out, err = db("check")
    assert (code, err) == (0, "")
    *promises, last = out.splitlines()
    assert len(promises) == PROMISES
    assert all(line.startswith("OK      ") for line in promises)
    assert last == f"All {PROMISES} promises hold."


def test_check_lists_the_orders_that_break_a_promise_and_exits_with_1(db: Command) -> None:
    fill(30)
    with closing(sqlite3.connect("cafe.db")) as connection, connection:
        connection.execute("UPDATE orders SET barista = 'Bo' || char(27) WHERE number > 5")
    code, out, err = db("check")
    assert (code, err) == (1, "")
    lines = out.splitlines()
    at = lines.index("broken  every order has what its status asks for, and nothing else")
    found = lines[at + 1 : at + 21]
    assert found[0].startswith("        - orders 6 (order-6): status waiting, barista Bo\\x1b, ")
    assert all(line.startswith("        - orders ") for line in found)
    assert lines[at + 21] == "        and 5 more"
    assert lines[-1] == f"1 of {PROMISES} promises are broken."


@pytest.mark.parametrize("value", [1e30, -1e300, inf, "soon"])
def test_a_time_without_a_date_is_found_like_any_other(db: Command, value: float | str) -> None:
    fill(1)
    with closing(sqlite3.connect("cafe.db")) as connection, connection:
        connection.execute("UPDATE orders SET placed_at = ?", (value,))
    code, out, err = db("check")
    assert (code, err) == (1, "")
    assert "broken  the times of an order are in order, and those of its events" in out
    assert f"placed_at {value}" in out


def test_check_and_backup_work_while_the_shop_runs(db: Command) -> None:
    fill(1)
    with closing(open_store(URL)):
        assert db("check")[0] == 0
        assert db("backup", "copy.db")[0] == 0
    assert db("check", "--database-url", "sqlite:///copy.db")[0] == 0


def test_a_backup_prints_its_size_and_overwrites_nothing(db: Command) -> None:
    fill(1)
    code, out, err = db("backup", "copy.db")
    size = Path("copy.db").stat().st_size
    assert (code, out, err) == (0, f"copy.db: {size:,} bytes\n", "")
    said = "cafe: copy.db is there already; nothing was copied.\n"
    assert db("backup", "copy.db") == (2, "", said)
    assert Path("copy.db").stat().st_size == size


def test_an_upgrade_of_the_newest_tables_does_nothing_also_beside_a_shop(db: Command) -> None:
    upgrade(URL)
    said = f"The tables have version {newest()}, the newest; there is nothing to do.\n"
    with closing(open_store(URL)):
        assert db("upgrade") == (0, said, "")


COMMANDS = (("upgrade",), ("check",), ("backup", "copy.db"), ("prune",))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_missing_database_is_one_line_and_is_not_created(
    db: Command, command: tuple[str, ...]
) -> None:
    said = "cafe: cafe.db cannot be read: No such file or directory.\n"
    assert db(*command) == (2, "", said)
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_the_option_goes_before_the_variable_and_no_password_is_printed(
    db: Command, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAFE_DATABASE_URL", "sqlite:///variable.db")
    assert "variable.db" in db(*command)[2]
    code, out, err = db(*command, "--database-url", "mysql://bar:s3cret@here/cafe")
    assert (code, out) == (2, "")
    assert err.startswith("cafe: No ledger can be kept at mysql://; a database is sqlite:///FILE, ")
    assert "s3cret" not in err


def test_an_empty_variable_counts_as_not_set(
    db: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAFE_DATABASE_URL", "")
    code, out, err = db("check")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("cafe: cafe.db cannot be read: ")


@pytest.fixture
def report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs `cafe report` on a day with three orders: code, out, err."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAFE_DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    upgrade("sqlite:///cafe.db")
    with create_engine("sqlite:///cafe.db", poolclass=NullPool).begin() as connection:
        write, place = RowWriter(connection).write, Tickets().place
        first, second, third = (write(place(at=EIGHT + n)) for n in range(3))
        first = write(start(first, at=EIGHT + 5, barista="B[red]o\x1b[2J"))
        write(cancel(third, at=EIGHT + 6))
        write(finish(first, at=EIGHT + 35))
        write(start(second, at=EIGHT + 36, barista=None))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_command(["report", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def rows_of(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines()]


def test_a_report_has_tables_and_a_chart(report: Command) -> None:
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


def test_a_barista_s_name_in_a_report_is_escaped(report: Command) -> None:
    _, out, _ = report("--day", "2026-11-20")
    assert ["B[red]o\\x1b[2J", "1", "0", "0", *["30.0", "s"] * 3] in rows_of(out)
    assert "\x1b" not in out


def test_a_report_as_json_has_every_figure(report: Command) -> None:
    code, out, err = report("--day", "2026-11-20", "--json")
    assert (code, err) == (0, "")
    half_a_minute = {"median": 30.0, "p95": 30.0, "worst": 30.0}
    assert json.loads(out) == {
        "day": "2026-11-20",
        "orders": 3,
        "ready": 1,
        "handed_over": 0,
        "to_be_handed_over": 1,
        "brewed_in_vain": 0,
        "not_ready_yet": 1,
        "cancelled": 1,
        "cut_off": 0,
        "abandoned": 0,
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
        "products": [{"name": "americano", "ready": 1, "brewing_seconds": half_a_minute}],
        "hours": [{"start": datetime.fromtimestamp(EIGHT).astimezone().isoformat(), "orders": 3}],
    }


def test_a_report_on_a_day_without_orders_is_a_sentence(report: Command) -> None:
    assert report("--day", "2026-11-01") == (
        0,
        "Nobody ordered anything on Sunday, 1 November 2026.\n",
        "",
    )
    assert json.loads(report("--day", "2026-11-01", "--json")[1])["orders"] == 0


def test_a_report_is_on_today_by_default(report: Command) -> None:
    today = datetime.now().astimezone().date()
    assert json.loads(report("--json")[1])["day"] == today.isoformat()


def test_a_report_works_while_the_shop_runs(report: Command) -> None:
    store = open_store("sqlite:///cafe.db")
    assert report("--day", "2026-11-20")[0] == 0
    store.close()


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "0001-01-01", "9999-12-31"])
def test_a_wrong_day_is_one_line(report: Command, day: str) -> None:
    said = f"cafe: Invalid value for '--day': {day} is not a day like 2026-11-21.\n"
    assert report("--day", day) == (2, "", said)


def test_a_report_on_a_missing_database_is_one_line(report: Command) -> None:
    said = "cafe: none.db cannot be read: No such file or directory.\n"
    assert report("--database-url", "sqlite:///none.db") == (2, "", said)
    assert not Path("none.db").exists()


TABLES = """
from cafe.cli.database import whole_database
with whole_database("sqlite:///cafe.db"):
    from cafe.ledger.tables import metadata
    print(*metadata.tables)
"""


def test_a_command_knows_the_tables_of_all_departments_when_it_opens_the_database() -> None:
    """In a process of its own: here their modules are imported already."""
    done = subprocess.run(
        [sys.executable, "-c", TABLES], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == metadata.tables.keys()
