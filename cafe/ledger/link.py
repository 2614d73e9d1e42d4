"""The one connection to the database: made anew when it broke, one transaction at a time.

Rule: a transaction ends before `transaction` is left: committed, or undone. If it cannot be undone
the connection is thrown away, which undoes it too.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from typing import Protocol

from sqlalchemy import Connection

from cafe.ledger.errors import LedgerError
from cafe.ledger.failures import explained


class Database(Protocol):
    """What SQLite and PostgreSQL do each in its own way."""

    @property
    def secrets(self) -> Iterable[str]:
        """What must not appear in any error."""
        ...

    def connect(self) -> Connection:
        """Connect as the only owner, with every timeout set.

        Raises DatabaseInUse where there is another; else what the driver raises.
        """
        ...

    def begin(self, connection: Connection, *, writing: bool) -> None:
        """Begin a transaction; one that writes is alone in that from here on."""
        ...

    def close(self) -> None:
        """Give back the ownership."""
        ...


class Link:
    """Holds the connection to a Database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._closed = False
        self.generation = 0
        """Counts connections: who has seen another number may have missed what others wrote."""

    @contextmanager
    def transaction(self, *, writing: bool) -> Generator[Connection]:
        """Run the block in one transaction; connect before that where there is no connection.

        Raises DatabaseGone, NotALedger or DatabaseInUse for what is wrong with the database, and
        SQLAlchemy's exceptions for what is wrong with a statement.
        """
        with telling(self._database.secrets):
            connection = self._connected()
            try:
                self._database.begin(connection, writing=writing)
                yield connection
                connection.commit()
            except BaseException:
                self._undo(connection)
                raise

    def close(self) -> None:
        """Disconnect and give back the ownership; doing it again does nothing."""
        if not self._closed:
            self._closed = True
            self._disconnect()
            self._database.close()

    def _connected(self) -> Connection:
        if self._closed:
            raise LedgerError("The ledger is closed.")
        if self._connection is None:
            self._connection = self._database.connect()
            self.generation += 1
        return self._connection

    def _undo(self, connection: Connection) -> None:
        if connection.invalidated:
            # SQLAlchemy would connect again by itself, without the lock.
            self._disconnect()
            return
        try:
            connection.rollback()
            # A commit that failed has ended SQLAlchemy's transaction, but perhaps not the driver's.
            connection.connection.rollback()
        except Exception:  # noqa: BLE001 - whatever it is, this connection is of no more use
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.invalidate()
            with suppress(Exception):
                self._connection.close()
            self._connection = None


@contextmanager
def telling(secrets: Iterable[str] = ()) -> Generator[None]:
    """Raise the ledger's errors in place of the drivers'."""
    try:
        yield
    except Exception as error:
        told = explained(error, secrets)
        if told is None:
            raise
        raise told from error
