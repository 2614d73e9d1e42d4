"""The ledger in memory only, and how either SQLite database is connected to.

Rule: transactions begin where `begin` says so; the driver begins none by itself.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from sqlalchemy import Connection, Engine, NullPool, create_engine

from cafe.ledger.errors import LedgerError
from cafe.ledger.migrating import make_tables


class MemoryDatabase:
    """Gone when it is closed; for tests, and for shops that may forget."""

    secrets = ()
    shares_connection = True

    def __init__(self) -> None:
        self._engine = new_engine(":memory:", 0.0)
        self._driver: sqlite3.Connection | None = None

    def connect(self) -> Connection:
        """Make an empty ledger."""
        connection = self._engine.connect()
        fill(connection)
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.rollback()
        self._driver = driver_of(connection)
        return connection

    def connect_reader(self) -> Connection:
        """Raise LedgerError: another connection would see another, empty ledger."""
        raise LedgerError("A ledger in memory has one connection only.")

    def upgrade(self) -> None:
        """Do nothing: it was done when it was opened."""

    def begin(self, connection: Connection, *, writing: bool) -> None:
        """Begin a transaction."""
        begin(connection, writing=writing)

    def abort(self, *, reading: bool) -> None:  # noqa: ARG002 - there is one connection
        """Interrupt the statement that runs now."""
        interrupt(self._driver)

    def tidy(self, connection: Connection) -> None:
        """Do nothing: there is no log."""

    def close(self) -> None:
        """Do nothing: nobody else could have it."""


def begin(connection: Connection, *, writing: bool) -> None:
    """Begin a transaction; one that writes waits for its turn here, not half-way."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def new_engine(database: str, busy_seconds: float) -> Engine:
    """Give what connects to a file, a URI of one, or `:memory:`."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            database,
            timeout=busy_seconds,
            isolation_level=None,  # transactions begin where we say so
            check_same_thread=False,  # the store lets in one thread at a time
            uri=database.startswith("file:"),
        )

    # The driver's messages are quoted, what is stored is not.
    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def driver_of(connection: Connection) -> sqlite3.Connection:
    """Give the driver's connection."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError(driver)
    return driver


def interrupt(driver: sqlite3.Connection | None) -> None:
    """End the statement that runs now, from any thread."""
    if driver is not None:
        with suppress(sqlite3.ProgrammingError):  # it is closed
            driver.interrupt()


def fill(connection: Connection) -> None:
    """Make the tables, all or none, in an empty database."""
    begin(connection, writing=True)
    make_tables(connection)
    connection.commit()
