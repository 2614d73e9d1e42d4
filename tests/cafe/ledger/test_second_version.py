"""A ledger of version 0002, with rows in each of its tables, holds them all after its upgrade."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, NullPool, create_engine, select, text

from cafe.ledger import sqlite
from cafe.ledger.checking import check, open_reader, version_of
from cafe.ledger.database import upgrade
from cafe.ledger.department import Put
from cafe.ledger.errors import LedgerError
from cafe.ledger.store import open_store
from cafe.ledger.tables import migrate, newest
from cafe.orders.kept_queries import load_ids
from cafe.orders.order import Order
from cafe.orders.queries import load_orders
from cafe.orders.tables import entry_of, keys, orders, row_of
from cafe.shop.departments import DEPARTMENTS
from tests.cafe.ledger.order_histories import NOON, Tickets, basket, start, unit
from tests.cafe.ledger.postgres import PostgresServer
from tests.cafe.ledger.test_first_version import insert_row, make_version, play

VERSION = "0002"
TABLES = {"orders", "events", "idempotency_keys", "prunings", "order_id_secret"}
SECRET = bytes(range(32))
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=["file", "postgresql"])
def old(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> str:
    """Return the URL of a ledger of version 0002, with rows in each table."""
    if request.param == "file":
        url = new_url("file")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.url(server.new_database())
    with create_engine(url, poolclass=NullPool).begin() as connection:
        make_version(connection, VERSION)
        fill(connection)
    assert version_of(url) == VERSION
    return url


def fill(connection: Connection) -> None:
    """Write a day's orders as that version wrote them, and a row of each other table."""
    columns = [column.name for column in orders.c]
    new = {"account_id", "total_cents", "fingerprint", "metadata", "prepaid"}
    stand: dict[str, Order] = {}
    held: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for position, change in enumerate(play(), 1):
        event, changes = entry_of(change)
        assert event is not None
        stand[change.order.order_id] = change.order
        for one in changes:
            if one.table is keys and isinstance(one, Put):
                held[one.row[:2]] = one.row
            elif one.table is keys and not isinstance(one, Put):
                del held[one.key]
        row = {"position": position, "department": "orders", **event._asdict()}
        insert_row(connection, "events", row)
    for order in stand.values():
        row = dict(zip(columns, row_of(order), strict=True))
        insert_row(connection, "orders", {name: row[name] for name in columns if name not in new})
    for of_key in held.values():
        row = dict(zip([column.name for column in keys.c], of_key, strict=True))
        insert_row(connection, "idempotency_keys", row)
    insert_row(connection, "prunings", {"id": 1, "through": 0})
    secret = {"id": 1, "secret": SECRET, "unsigned_through": 3}
    insert_row(connection, "order_id_secret", secret)


def rows_of(url: str) -> Rows:
    """Return every row of every table, by the columns that there are."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        found = MetaData()
        found.reflect(connection)
        return {
            name: sorted(map(dict, connection.execute(select(table)).mappings()), key=repr)
            for name, table in found.tables.items()
            if name != "alembic_version"
        }


def test_every_row_of_every_table_is_there_after_the_upgrade(old: str) -> None:
    before = rows_of(old)
    assert before.keys() == TABLES
    assert all(before.values()), "each table has rows"
    upgrade(old)
    assert version_of(old) == newest()
    after = rows_of(old)
    for name, rows in before.items():
        assert len(after[name]) == len(rows)
        shared = [{column: row[column] for column in rows[0]} for row in after[name]]
        assert sorted(shared, key=repr) == rows
        new = [row[column] for row in after[name] for column in row.keys() - rows[0].keys()]
        assert {*new} <= {None}, "what is new is empty"
    assert after["order_lines"] == []


def test_the_upgraded_ledger_breaks_no_promise_and_refers_to_nothing_that_is_not_there(
    old: str,
) -> None:
    upgrade(old)
    with open_reader(old) as connection:
        assert [str(one) for one in check(connection, DEPARTMENTS) if one.findings] == []
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_a_shop_goes_on_with_baskets_where_that_version_ended(old: str) -> None:
    upgrade(old)
    with closing(open_store(old)) as store:
        assert store.maintain(load_ids).may_exist("x" * 16)
        store.begin()
        tickets = Tickets(store.read(load_orders).last_number)
        placed = tickets.place(at=NOON + 1e8, key="k", basket=basket())
        store.commit([unit(placed), unit(start(placed.order, at=NOON + 1e8))])
        (order,) = [one for one in store.read(load_orders).live if one.basket is not None]
        assert order.basket == basket()


def rebuild(connection: Connection) -> None:
    """Migrate, and rebuild a table that others refer to, as alembic's batch mode does."""
    migrate(connection)
    (sql,) = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE name = 'orders'"
    ).scalars()
    connection.exec_driver_sql(sql.replace("orders", "rebuilt", 1))
    connection.exec_driver_sql("INSERT INTO rebuilt SELECT * FROM orders")
    connection.exec_driver_sql("DROP TABLE orders")
    connection.exec_driver_sql("ALTER TABLE rebuilt RENAME TO orders")


@pytest.mark.parametrize("old", ["file"], indirect=True)
def test_a_migration_may_rebuild_a_table_that_others_refer_to(
    old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(old)
    monkeypatch.setattr(sqlite, "migrate", rebuild)
    upgrade(old)
    after = rows_of(old)
    assert after["idempotency_keys"] == before["idempotency_keys"]
    assert len(after["orders"]) == len(before["orders"])
    with closing(open_store(old)) as store:  # and references are enforced again
        store.begin()
        assert store.read(load_orders).live


def lose(connection: Connection) -> None:
    """Migrate, and lose what others refer to."""
    migrate(connection)
    connection.execute(text("DELETE FROM orders"))


@pytest.mark.parametrize("old", ["file"], indirect=True)
def test_a_migration_that_would_leave_references_to_nothing_is_undone(
    old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(old)
    monkeypatch.setattr(sqlite, "migrate", lose)
    with pytest.raises(LedgerError, match="2 rows of idempotency_keys would refer to nothing"):
        upgrade(old)
    monkeypatch.undo()
    assert version_of(old) == VERSION
    assert rows_of(old) == before
    upgrade(old)
    assert version_of(old) == newest()
