"""A ledger's database that fails on demand, and a runner without threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import trio
from sqlalchemy import Connection, NullPool, create_engine, select

import cafe.shop.departments
from cafe.ledger.checking import check
from cafe.ledger.database import Link, open_database
from cafe.ledger.department import Event, Logged
from cafe.ledger.errors import DatabaseGone
from cafe.ledger.sqlite import MemoryDatabase
from cafe.ledger.store import Store
from cafe.ledger.tables import events
from cafe.orders.order import Order
from cafe.orders.queries import find_order, read_orders
from cafe.orders.tables import orders

T = TypeVar("T")

REFUSED = "refused"
"""A customer's or a barista's name that the fake database refuses to keep."""
_REFUSE = f"""
    CREATE TRIGGER refuse BEFORE INSERT ON orders
    WHEN NEW.name = '{REFUSED}' OR NEW.barista = '{REFUSED}'
    BEGIN SELECT RAISE(ABORT, 'the name is refused'); END
"""


class CopiedMemory(MemoryDatabase):
    """A database in memory that begins as a copy of another."""

    def __init__(self, original: sqlite3.Connection) -> None:
        self._original = original

    def connect(self) -> Connection:
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._original.backup(copy)
        copy.execute("PRAGMA foreign_keys=ON")
        engine = create_engine("sqlite://", creator=lambda: copy, poolclass=NullPool)
        return engine.connect()

    def abort(self, *, reading: bool) -> None:
        """Have nothing to abort: no thread runs."""


class FaultyLink(Link):
    """A connection that fails on demand."""

    gone = False
    mute = 0
    """So many commits that are made, but whose answer is lost."""

    @contextmanager
    def transaction(self, *, writing: bool) -> Generator[Connection]:
        if self.gone:
            raise DatabaseGone("the database is gone")
        with super().transaction(writing=writing) as connection:
            yield connection
        if writing and self.mute:
            self.mute -= 1
            raise DatabaseGone("the answer was lost")


class FaultyStore(Store):
    """A real store in memory, whose connection fails on demand."""

    def __init__(self, original: sqlite3.Connection | None = None) -> None:
        self.link = FaultyLink(CopiedMemory(original or template()))
        super().__init__(self.link, self.link)

    def survivor(self) -> FaultyStore:
        """Return what is left of it, for another process, when this one is killed."""
        with Link.transaction(self.link, writing=False) as connection:
            driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return FaultyStore(driver)

    @property
    def orders(self) -> dict[str, Order]:
        """Return what is committed, also while it is gone."""
        with Link.transaction(self.link, writing=False) as connection:
            found = read_orders(connection, select(*orders.c))
        return {order.order_id: order for order in found}

    def find(self, order_id: str) -> Order | None:
        """Return one order as it is committed, also while it is gone."""
        with Link.transaction(self.link, writing=False) as connection:
            return find_order(connection, order_id)

    @property
    def logged(self) -> list[Logged]:
        """Return every event that is committed."""
        with Link.transaction(self.link, writing=False) as connection:
            rows = connection.execute(select(events).order_by(events.c.position)).all()
        return [Logged(row[0], row[1], Event(*row[2:])) for row in rows]

    def broken_promises(self) -> list[str]:
        """Return what `cafe db check` would complain of."""
        with Link.transaction(self.link, writing=False) as connection:
            promises = list(check(connection, cafe.shop.departments.DEPARTMENTS))
        return [str(promise) for promise in promises if promise.findings]


@cache
def template() -> sqlite3.Connection:
    """Return an empty ledger to copy, which is much faster than to make one."""
    connection = open_database("sqlite://").connect()
    connection.exec_driver_sql(_REFUSE)
    connection.commit()
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    original = sqlite3.connect(":memory:", check_same_thread=False)
    driver.backup(original)
    connection.close()
    return original


class Disk:
    """Runs the store's calls in virtual time: each takes so many seconds."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    async def run(self, call: Callable[[], T]) -> T:
        await trio.sleep(self.seconds)
        return call()
