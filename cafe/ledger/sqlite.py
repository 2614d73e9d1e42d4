"""The ledger on SQLite: in a file, or in memory only.

Rule: the owner's lock is taken before the first write, and a file that has no lock file is examined
before that: another program's file is left unchanged, to the byte, without new files beside it.
Only `begin` begins transactions; the driver begins none by itself.

Theory of operation. A new ledger is made under another name and renamed when it is complete, so
that a file without our tables is never an interrupted one of ours. WAL and synchronous=FULL: a
commit is on the disk when it returns, for one sync.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from sqlalchemy import Connection, Engine, NullPool, create_engine

from cafe.ledger.errors import DatabaseGone, LedgerError, translating
from cafe.ledger.sqlite_file import LedgerFile, OwnerFile, complete_restore, sync_folder
from cafe.ledger.tables import is_current, make_tables, migrate


class MemoryDatabase:
    """A ledger that is lost when it is closed; for tests, and for shops that may lose it."""

    secrets = ()
    shares_connection = True
    term = 1
    heartbeat_seconds = None

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
        """Do nothing: `connect` makes the newest tables."""

    def begin(self, connection: Connection, *, writing: bool) -> None:
        """Begin a transaction."""
        begin(connection, writing=writing)

    def abort(self, *, reading: bool) -> None:  # noqa: ARG002 - there is one connection
        """Interrupt the statement that runs now."""
        interrupt(self._driver)

    def tidy(self, connection: Connection) -> None:
        """Do nothing: there is no log."""

    def close(self) -> None:
        """Do nothing: no other process could own it."""


def begin(connection: Connection, *, writing: bool) -> None:
    """Begin a transaction; one that writes waits here for others, not at its first write."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def new_engine(database: str, busy_seconds: float) -> Engine:
    """Return an engine for a file, a URI of one, or `:memory:`."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            database,
            timeout=busy_seconds,
            isolation_level=None,  # `begin` begins transactions
            check_same_thread=False,  # `Link` lets in one thread at a time
            uri=database.startswith("file:"),
        )

    # Errors quote the driver's messages, never the stored values.
    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def driver_of(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection."""
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


def refuse_dangling(connection: Connection, database: str) -> None:
    """Raise LedgerError if a row refers to one that does not exist."""
    dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if dangling:
        tables = ", ".join(sorted({row[0] for row in dangling}))
        raise LedgerError(
            f"{database} was not upgraded: {len(dangling)} rows of {tables} would refer to nothing."
        )


PAGES_TO_CHECKPOINT = 8_000
"""Pages of the WAL, of 4 KiB each, at which they move into the file, which takes more syncs."""
LARGEST_WAL = 40 * 2**20
"""Bytes: more than PAGES_TO_CHECKPOINT, so that a log that is reused from its beginning is not
truncated each time."""


class FileDatabase:
    """One file, owned by the process that holds the lock on the file beside it."""

    secrets = ()
    shares_connection = False
    term = 1
    heartbeat_seconds = None

    def __init__(self, path: Path, *, busy_seconds: float, largest_wal: int = LARGEST_WAL) -> None:
        """Own the ledger at `path`, made or migrated if needed.

        Raises NotALedger, DatabaseInUse, DatabaseGone, or LedgerError if there is no folder.
        """
        self._path = Path(os.path.realpath(path))
        if not self._path.parent.is_dir():
            raise LedgerError(f"There is no folder {self._path.parent} to put {path.name} in.")
        self._file = LedgerFile(self._path, str(path))
        self._busy_seconds, self._largest_wal = busy_seconds, largest_wal
        self._drivers: dict[bool, sqlite3.Connection] = {}
        self._engine = new_engine(f"{self._path.as_uri()}?mode=rw", busy_seconds)
        self._owner = OwnerFile(self._path)
        # Before a lock file of ours appears beside a file of another program.
        if not self._owner.exists() and not self._file.is_new():
            with translating():
                self._file.refuse_foreign()
        self._owner.take()
        try:
            with translating():
                self._prepare()
        except BaseException:
            self._owner.release()
            raise

    def connect(self) -> Connection:
        """Connect to the file, which must exist: a new one would be empty.

        Takes the lock again if its file was removed; raises DatabaseInUse if another process did.
        """
        self._owner.take()
        connection = self._connect(
            "synchronous=FULL",
            f"wal_autocheckpoint={PAGES_TO_CHECKPOINT}",
            f"journal_size_limit={self._largest_wal}",
            "foreign_keys=ON",
        )
        self._file.remember_place()
        self._drivers[False] = driver_of(connection)
        return connection

    def connect_reader(self) -> Connection:
        """Connect to the same file, only to read; readers and writer do not block each other."""
        connection = self._connect("query_only=ON")
        self._drivers[True] = driver_of(connection)
        return connection

    def _connect(self, *pragmas: str) -> Connection:
        connection = self._engine.connect()
        try:
            for pragma in ("journal_mode=WAL", *pragmas):
                connection.exec_driver_sql(f"PRAGMA {pragma}")
            connection.rollback()
        except BaseException:
            connection.close()
            raise
        return connection

    def upgrade(self) -> None:
        """Do nothing: the tables were migrated when this was opened."""

    def begin(self, connection: Connection, *, writing: bool) -> None:
        """Begin a transaction; raises DatabaseGone if the file or its lock file is not in place.

        SQLite would go on in a file that was moved or removed, and the commits would be lost.
        Raises LedgerError if the write-ahead log was removed: the shop ends and loses nothing.
        """
        if not writing:
            connection.exec_driver_sql("BEGIN")
            return
        if self._has_lost_log(connection):
            self._save_log(connection)
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        # Again: while this waited another process may have become the owner, and written.
        self._has_lost_log(connection)

    def _has_lost_log(self, connection: Connection) -> bool:
        """Return whether the log was removed; raise DatabaseGone if another file was."""
        if not self._owner.is_ours():
            # With the next connection the lock is taken again, and the last event is read again.
            connection.invalidate()
            raise DatabaseGone(f"The lock file of {self._file.name} was removed.")
        return self._file.has_lost_log()

    def _save_log(self, connection: Connection) -> NoReturn:
        """Move the commits of a removed write-ahead log into the file, and raise LedgerError.

        Both connections have that log open, and share its index; a third would corrupt that.
        """
        busy, pages, moved = connection.exec_driver_sql("PRAGMA wal_checkpoint(FULL)").one()
        connection.rollback()
        log = self._file.log.name
        if busy or moved < pages:
            raise DatabaseGone(f"{log} was removed, and another program reads what was in it.")
        raise LedgerError(
            f"{log} was removed while the shop ran. What was in it has been moved into "
            f"{self._file.name}, and nothing is lost. Start the shop again."
        )

    def tidy(self, connection: Connection) -> None:
        """Truncate the write-ahead log if a long read has let it grow, and none reads it now.

        Call it between transactions. Does not wait for readers: while one reads the log, this moves
        what it can into the file, and the next call retries. Raises what the driver raises.
        """
        if not self._has_large_log():
            return
        try:
            connection.exec_driver_sql("PRAGMA busy_timeout = 0")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(self._busy_seconds * 1000)}")
            connection.rollback()

    def _has_large_log(self) -> bool:
        try:
            return self._file.log.stat().st_size > self._largest_wal
        except OSError:
            return False

    def abort(self, *, reading: bool) -> None:
        """Interrupt the statement that runs now, but not a wait for a lock."""
        interrupt(self._drivers.get(reading))

    def close(self) -> None:
        """Release the lock by which the file is owned."""
        self._owner.release()

    def _prepare(self) -> None:
        complete_restore(self._file)
        if self._file.is_new():
            self._make()
            return
        self._file.refuse_foreign()
        self._file.refuse_damaged()
        connection = self.connect()
        try:
            if not is_current(connection, self._file.name):
                connection.rollback()
                # A rebuilt table is dropped, which would delete the rows that refer to it, or fail.
                # Within a transaction the pragma has no effect.
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
                connection.rollback()
                begin(connection, writing=True)
                migrate(connection)
                refuse_dangling(connection, self._file.name)
                connection.commit()
        finally:
            connection.close()

    def _make(self) -> None:
        draft = self._path.with_name(self._path.name + ".new")
        for leftover in (draft, draft.with_name(draft.name + "-journal")):
            leftover.unlink(missing_ok=True)
        # For its owner only: it holds password hashes. SQLite gives its log the same mode.
        draft.touch(0o600, exist_ok=False)
        connection = new_engine(str(draft), 0.0).connect()
        try:
            fill(connection)
        finally:
            connection.close()
        draft.replace(self._path)
        sync_folder(self._path.parent)
