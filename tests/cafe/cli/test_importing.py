"""`cafe import`: all of a file comes in, or nothing of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cafe.cli import importing
from cafe.compat.imports.moving import ORDERS
from cafe.ledger.log import MOST_AHEAD
from cafe.ledger.store import Store, open_store
from cafe.ledger.tables import events
from cafe.orders.tables import orders
from tests.cafe.cli.importer import (
    BROUGHT,
    COURIER,
    DISTRICT,
    EXPORTS,
    ORDER,
    PRODUCT,
    SYSTEMS,
    Importer,
)
from tests.cafe.cli.running import run_command
from tests.cafe.compat.exports import USER


@pytest.fixture(scope="module")
def used_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database in which there is something already."""
    file = tmp_path_factory.mktemp("used") / "cafe.db"
    url = f"--database-url=sqlite:///{file}"
    user = ["users", "add", "b@example.com", "--role=manager", "--password=12345678", url]
    assert run_command(user) == 0
    return file


@pytest.fixture
def used(importer: Importer, used_file: Path) -> Importer:
    """Return the same for a copy of that database."""
    shutil.copy(used_file, importer.folder / "cafe.db")
    return importer


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_system_s_example_comes_in_and_every_promise_holds(
    importer: Importer, system: str
) -> None:
    file = EXPORTS / f"{system}.json"
    status, out, err = importer.run(system, str(file))
    lists = json.loads(file.read_text("utf-8"))
    assert (status, out) == (0, "".join(f"{kind}: {len(of)}\n" for kind, of in lists.items()))
    whole = sum(map(len, lists.values()))
    assert err.splitlines()[0] == f"{whole} of {whole} records checked"
    assert err.endswith(" changes written\n")
    assert importer.broken() == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_comes_in_beside_what_there_is(used: Importer, system: str) -> None:
    text = (EXPORTS / f"{system}.json").read_text("utf-8")
    for name in ("Latte", "Espresso"):  # they are on the first menu
        text = text.replace(f'"{name}"', f'"My {name}"')
    (used.folder / "export.json").write_text(text)
    before = used.rows()
    assert used.run(system, "export.json")[0] == 0
    assert used.broken() == []
    after = used.rows()
    assert all(set(before[name]) <= set(after[name]) for name in before)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_same_file_does_not_come_in_twice(importer: Importer, system: str) -> None:
    file = str(EXPORTS / f"{system}.json")
    assert importer.run(system, file)[0] == 0
    before = importer.rows()
    status, out, err = importer.run(system, file)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"cafe: {file}:3: ")
    assert "[0]." in err
    assert err.endswith((" has this id.\n", " has this name.\n"))
    assert importer.rows() == before


@pytest.mark.parametrize("kind", ["users", "orders"])
def test_each_record_that_is_there_already_is_named(importer: Importer, kind: str) -> None:
    assert importer("functech", users=[USER], products=[PRODUCT], orders=[ORDER])[0] == 0
    said = {
        "users": ":3: users[1].email: Another user has this e-mail address.",
        "orders": ":3: orders[1].order_id: Another order has this id.",
    }
    records = {
        "users": [{**USER, "user_id": 2, "email": "c@example.com"}, {**USER, "user_id": 3}],
        "orders": [{**ORDER, "order_id": 8}, ORDER],
    }
    assert importer.refusal("functech", **{kind: records[kind]}) == said[kind]


def test_an_error_in_the_last_record_leaves_everything_as_it_was(used: Importer) -> None:
    before = used.rows()
    last = {**ORDER, "order_id": 8, "user_id": 2}
    lists = {"users": [USER], "orders": [ORDER, ORDER | {"order_id": 9}, last]}
    assert used.refusal("functech", **lists) == ":5: orders[2].user_id: There is no such user."
    assert used.rows() == before


def test_a_dry_run_checks_everything_and_writes_nothing(used: Importer) -> None:
    before = used.rows()
    status, out, _ = used("functech", "--dry-run", users=[USER], orders=[ORDER])
    assert (status, out) == (0, "users: 1\norders: 1\nNothing was written.\n")
    assert used.rows() == before
    status, _, err = used("functech", "--dry-run", users=[USER, USER])
    assert (status, err) == (
        2,
        "cafe: export.json:3: users[1].user_id: Another user has this id.\n",
    )


def test_a_dry_run_makes_no_database_where_there_is_none(importer: Importer) -> None:
    status, out, _ = importer("functech", "--dry-run", users=[USER], orders=[ORDER])
    assert (status, out) == (0, "users: 1\norders: 1\nNothing was written.\n")
    assert [path.name for path in importer.folder.iterdir()] == ["export.json"]


def test_couriers_and_districts_with_the_same_numbers_both_come_in(importer: Importer) -> None:
    """Districts and couriers are numbered there each for themselves; here their ids differ."""
    south = {"sid": 2, "name": "South"}
    couriers = [{**COURIER, "districts": [1]}, {**COURIER, "sid": 2, "districts": [2, 1]}]
    brought = [{**BROUGHT, "district": 2, "courier_sid": 2, "status": 2}, {**BROUGHT, "sid": 4}]
    status, *_ = importer(
        "courier-service", districts=[DISTRICT, south], couriers=couriers, orders=brought
    )
    assert status == 0
    rows = importer.rows()
    assert [row[0] for row in rows["districts"]] == ["district-1", "district-2"]
    assert [row[0] for row in rows["couriers"]] == ["1", "2"]
    assert importer.broken() == []


@pytest.mark.parametrize("seconds", [10, MOST_AHEAD - 1, MOST_AHEAD + 1, 10_000])
def test_the_log_s_times_never_go_back_a_little(used: Importer, seconds: float) -> None:
    """A database that was used a moment ago, and an order of some time before."""
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    order = {**ORDER, "status": "SHIPPED", "created_at": at.isoformat()}
    later = {**order, "order_id": 8, "created_at": (at + timedelta(seconds=9)).isoformat()}
    assert used("functech", users=[USER], orders=[later, order])[0] == 0
    assert used.broken() == []


def test_orders_get_ticket_numbers_in_the_order_of_their_times(importer: Importer) -> None:
    records = [
        {**ORDER, "order_id": n, "created_at": f"2025-02-{day:02}T08:00:00"}
        for n, day in enumerate((3, 1, 2))
    ]
    assert importer("functech", users=[USER], orders=records)[0] == 0
    with importer.connection() as connection:
        placed = select(events.c.data).where(events.c.department == "orders")
        found = connection.execute(placed.order_by(events.c.position)).scalars()
        shown = [json.loads(data or "{}") for data in found]
    assert [(one["imported"], one["number"]) for one in shown] == [("1", 1), ("2", 2), ("0", 3)]


def test_the_earliest_time_is_one_as_well(importer: Importer) -> None:
    at = "1970-01-01T00:00:00Z"
    order = {**BROUGHT, "created_at": at, "finished_at": at, "status": 2}
    lists = {"districts": [DISTRICT], "couriers": [COURIER], "orders": [order]}
    assert importer("courier-service", **lists)[0] == 0
    with importer.connection() as connection:
        (times,) = connection.execute(select(orders.c.placed_at, orders.c.ended_at)).all()
    assert tuple(times) == (0.0, 0.0)
    assert importer.broken() == []


def test_nothing_comes_in_while_a_shop_has_the_database(importer: Importer) -> None:
    with closing(open_store(importer.url)):
        status, _, err = importer("functech", users=[USER])
    assert (status, "is in use by" in err) == (2, True)


def test_a_row_that_the_database_refuses_takes_everything_with_it(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert importer("functech", users=[USER])[0] == 0
    before = importer.rows()
    forget(monkeypatch, Store.read)
    status, _, err = importer("functech", products=[PRODUCT], users=[{**USER, "user_id": 2}])
    assert (status, "constraint" in err) == (2, True)
    assert importer.rows() == before


def forget(monkeypatch: pytest.MonkeyPatch, read: Callable[..., Any]) -> None:
    """Let the next import know nothing of the users that there are."""

    def read_and_forget(store: Store, query: Any) -> Any:
        plan: Any = read(store, query)
        plan._accounts._folded.clear()
        return plan

    monkeypatch.setattr(Store, "read", read_and_forget)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["cafe", "x"], "The plain counter keeps nothing that could be imported; others are "),
        (["starbucks", "x"], "There is no import from starbucks, but from functech, "),
        (["functech", "x"], "x: No such file or directory."),
        (["functech", "."], ".: Is a directory."),
    ],
)
def test_what_is_no_import_is_one_line(importer: Importer, args: list[str], said: str) -> None:
    status, out, err = importer.run(*args)
    assert (status, out) == (2, "")
    assert err.startswith(f"cafe: {said}")
    assert not (importer.folder / "cafe.db").exists()


def test_a_database_in_memory_is_refused(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAFE_DATABASE_URL", "sqlite://")
    status, _, err = importer("functech", users=[USER])
    assert (status, "a database in memory is lost" in err) == (2, True)


def test_the_help_names_the_systems_and_an_example(importer: Importer) -> None:
    status, out, _ = importer.run("--help")
    assert status == 0
    assert "cafe import functech export.json" in out
    assert "--dry-run" in out


def test_help_names_the_systems_whose_exports_are_understood() -> None:
    assert list(ORDERS) == list(importing.SYSTEMS)
