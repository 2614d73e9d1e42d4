"""A ledger of the first version holds after its upgrade what it held before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, select, table, text

from cafe import migrations
from cafe.ledger.checking import open_reader, version_of
from cafe.ledger.database import upgrade
from cafe.ledger.log import prune_some, read_page
from cafe.ledger.store import open_store
from cafe.ledger.tables import migrate, newest
from cafe.orders.department import ORDERS
from cafe.orders.kept_queries import load_ids
from cafe.orders.order import Action, Change, Order, Status
from cafe.orders.queries import Snapshot, load_orders
from cafe.orders.queue import MOST_RECENT, OrderBook
from cafe.orders.tables import entry_of, keys, order_of, orders
from tests.cafe.cli.running import run_command
from tests.cafe.ledger.order_histories import Tickets, cancel, finish, unit
from tests.cafe.ledger.postgres import PostgresServer

NOON = 1_795_000_000.0
DAY = 86_400.0
LEASE = 180.0
DELIVERED = "bPqX_tOKH9QLV1k8"
"""An id as orders had them then."""
DELIVERIES = {Action.PUBLISH, Action.CALL_OFF}
"""What there was not yet."""
OLD_TABLES = ("orders", "order_events", "idempotency_keys")


def play() -> list[Change]:
    """Return a day on which everything happened that can happen to an order."""
    book, day = (
        OrderBook(lease_seconds=LEASE, key_ttl_seconds=DAY, most_recent=MOST_RECENT),
        list[Change | None](),
    )

    def order(order_id: str, at: float, key: str | None = None, name: str | None = "Ada") -> None:
        day.append(book.place(order_id, "americano", name, "192.0.2.1", key, NOON + at))

    order(DELIVERED, 0.1 + 0.2, name="O'Hara ☕ %s ?")
    day.append(book.start("Bo", NOON + 1))
    day.append(book.finish(DELIVERED, NOON + 40))
    day.append(book.hand_over(DELIVERED, NOON + 40))
    order("late", 50, key="late", name=None)
    day.append(book.start(None, NOON + 51))
    day.extend(change for changes in book.expire(NOON + 51 + LEASE) for change in changes)
    day.append(book.finish("late", NOON + 250))
    order("again", 251)
    day.append(book.start("Cy", NOON + 252))
    day.extend(book.release("again", NOON + 253, "no milk"))
    day.append(book.unbind("again", NOON + 254))
    day.append(book.start("Di", NOON + 255))
    order("cancelled", 256, key="k")
    day.append(book.cancel("cancelled", NOON + 257))
    order("left", 258)
    day.append(book.abandon("left", NOON + 259, "hung up"))
    order("banned", 260)
    day.extend(book.cut_off("192.0.2.1", NOON + 261))
    order("gone", 262)
    day.append(book.start("Ed", NOON + 263))
    day.append(book.abandon("gone", NOON + 264))
    order("waiting", 265, key="k")
    order("waiting too", 266)
    return [change for change in day if change is not None]


def test_the_day_has_everything() -> None:
    assert {change.action for change in play()} == set(Action) - DELIVERIES
    assert {order.status for order in orders_of(play()).values()} == set(Status)


def orders_of(day: list[Change]) -> dict[str, Order]:
    """Return how each order stands in the end; it knew no claims, baskets and couriers."""
    return {change.order.order_id: change.order for change in day}


def keys_of(day: list[Change]) -> set[tuple[str, str | None, str, float]]:
    return {
        (order.address, order.key, order.order_id, order.placed_at)
        for order in orders_of(day).values()
        if order.key is not None and order.status is not Status.CANCELLED
    }


@pytest.fixture(params=["file", "postgresql"])
def old(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> str:
    """Return the URL of a ledger of version 0001 with the day in it."""
    if request.param == "file":
        url = new_url("file")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.url(server.new_database())
    with create_engine(url, poolclass=NullPool).begin() as connection:
        make_first_version(connection)
        fill(connection, play())
    assert version_of(url) == "0001"
    return url


def make_first_version(connection: Connection) -> None:
    make_version(connection, "0001")


def make_version(connection: Connection, version: str) -> None:
    config = Config()
    (folder,) = migrations.__path__
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def fill(connection: Connection, day: list[Change]) -> None:
    for order in orders_of(day).values():
        row = {**order._asdict(), "status": order.status.value}
        del row["claim"], row["basket"], row["destination"]
        insert_row(connection, "orders", row)
    for sequence, change in enumerate(day, 1):
        event, _ = entry_of(change)
        assert event is not None
        row = {**event._asdict(), "sequence": sequence, "order_id": event.subject}
        del row["subject"], row["data"]
        insert_row(connection, "order_events", row)
    for address, key, order_id, placed_at in keys_of(day):
        row = {"address": address, "key": key, "order_id": order_id, "placed_at": placed_at}
        insert_row(connection, "idempotency_keys", row)


def insert_row(connection: Connection, table: str, row: dict[str, Any]) -> None:
    columns = ", ".join(f'"{name}"' for name in row)
    values = ", ".join(f":{name}" for name in row)
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)  # noqa: S608


def old_rows(url: str) -> dict[str, list[str]]:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return {
            name: sorted(map(repr, connection.execute(select(text("*")).select_from(table(name)))))
            for name in OLD_TABLES
        }


def test_every_order_event_and_key_is_there_after_the_upgrade(old: str) -> None:
    day = play()
    upgrade(old)
    assert version_of(old) == newest()
    with open_reader(old) as connection:
        found = connection.execute(select(*orders.c).order_by(orders.c.number))
        assert [order_of(row) for row in found] == list(orders_of(day).values())
        logged = read_page(connection, 0)
        kept = {tuple(row) for row in connection.execute(select(*keys.c))}
    assert [one.event for one in logged] == [entry_of(change).event for change in day]
    assert [one.position for one in logged] == list(range(1, len(day) + 1))
    assert {one.department for one in logged} == {"orders"}
    assert kept == keys_of(day)


def test_the_upgraded_ledger_passes_the_check(old: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["db", "upgrade", "--database-url", old]) == 0
    said = f"The tables had version 0001, and have version {newest()}.\n"
    assert capsys.readouterr() == (said, "")
    assert run_command(["db", "check", "--database-url", old]) == 0
    printed = capsys.readouterr()
    assert printed.out.endswith(" promises hold.\n")
    assert printed.err == ""


def test_a_backup_of_the_first_version_names_the_command_that_comes_first(
    old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.db"
    assert run_command(["db", "backup", str(copy), "--database-url", old]) == 2
    printed = capsys.readouterr()
    said = f" have version 0001, and this program needs {newest()}; run: cafe db upgrade\n"
    assert printed.err.startswith("cafe: The tables of ")
    assert printed.err.endswith(said)
    assert (printed.out, len(printed.err.splitlines()), copy.exists()) == ("", 1, False)
    assert version_of(old) == "0001"


def test_a_shop_goes_on_where_the_first_version_ended(old: str) -> None:
    day = play()
    upgrade(old)
    with closing(open_store(old)) as store:
        standing = orders_of(day).values()
        last = store.begin()
        assert last is not None
        assert (last.position, last.event.subject) == (len(day), "waiting too")
        snapshot = store.read(load_orders)
        assert snapshot == Snapshot(
            live=tuple(order for order in standing if not order.ended),
            recent=tuple(
                sorted((order for order in standing if order.ended), key=lambda o: o.ended_at or 0)
            ),
            last_number=len(standing),
            brewing_seconds=snapshot.brewing_seconds,
        )
        assert len(snapshot.brewing_seconds) == 2
        placed = Tickets(snapshot.last_number).place("next")
        assert [one.position for one in store.commit([unit(placed)]).logged] == [len(day) + 1]


def test_ids_of_the_first_version_are_looked_up_as_long_as_there_are_such_orders(old: str) -> None:
    upgrade(old)
    with closing(open_store(old)) as store:
        ids = store.maintain(load_ids)
        assert ids.may_exist(DELIVERED)
        store.begin()
        for order in store.read(load_orders).live:
            end = cancel if order.status is Status.WAITING else finish
            store.commit([unit(end(order, at=NOON + 300))])
        new = ids.new()
        tickets = Tickets(len(orders_of(play())))
        store.commit([unit(tickets.place(new, at=NOON + 400))])
        while store.maintain(lambda connection: prune_some(connection, ORDERS, NOON + 350, ())):
            pass
    with closing(open_store(old)) as store:
        ids = store.maintain(load_ids)
        assert ids.may_exist(new)
        assert not ids.may_exist(DELIVERED)


def test_an_upgrade_that_fails_leaves_the_first_version_as_it_was(
    old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: Connection) -> None:
        migrate(connection)
        raise KeyboardInterrupt

    module = "sqlite" if old.startswith("sqlite") else "postgresql"
    before = old_rows(old)
    monkeypatch.setattr(f"cafe.ledger.{module}.migrate", fail)
    with pytest.raises(KeyboardInterrupt):
        upgrade(old)
    monkeypatch.undo()
    assert version_of(old) == "0001"
    assert old_rows(old) == before
    upgrade(old)
    assert version_of(old) == newest()
