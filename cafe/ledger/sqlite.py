"""The ledger in a SQLite file, or in memory only.

Rule: the owner's lock comes before the first write, and the look into the file before that: what is
not ours is left as it is, to the byte, with nothing beside it.

Theory of operation. A new ledger is made under another name and renamed when it is whole, so that a
file without our tables is never one of ours that was interrupted. WAL and synchronous=FULL: a
commit is on the disk when it returns, for one sync.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine

from cafe.ledger.errors import DatabaseGone, LedgerError, NotALedger
from cafe.ledger.link import telling
from cafe.ledger.migrating import READ_VERSION, VERSION_TABLE, is_current, is_newest, migrate
from cafe.ledger.owner_file import OwnerFile

PAGES_TO_CHECKPOINT = 8_000
"""Pages of the WAL, of 4 KiB each, before they move into the file, which takes syncs of its own."""
LARGEST_WAL = 40 * 2**20
"""Bytes, more than it has when PAGES_TO_CHECKPOINT have been written: it is used again from its
beginning then, and not made smaller for nothing."""
CHECKED_BYTES = 256 * 2**20
"""Larger files are not read through at the start: that would take seconds."""


class MemoryDatabase:
    """Gone when it is closed; for tests, and for shops that may forget."""

    secrets = ()
    shares_connection = True

    def __init__(self) -> None:
        self._engine = _engine(":memory:", 0.0)
        self._driver: sqlite3.Connection | None = None

    def connect(self) -> Connection:
        """Make an empty ledger."""
        connection = self._engine.connect()
        _migrate(connection)
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.rollback()
        self._driver = _driver_of(connection)
        return connection

    def connect_reader(self) -> Connection:
        """Raise LedgerError: another connection would see another, empty ledger."""
        raise LedgerError("A ledger in memory has one connection only.")

    def begin(self, connection: Connection, *, writing: bool) -> None:
        """Begin a transaction."""
        begin(connection, writing=writing)

    def abort(self, *, reading: bool) -> None:  # noqa: ARG002 - there is one connection
        """Interrupt the statement that runs now."""
        _interrupt(self._driver)

    def tidy(self, connection: Connection) -> None:
        """Do nothing: there is no log."""

    def close(self) -> None:
        """Do nothing: nobody else could have it."""


class FileDatabase:
    """One file, owned by whoever holds the lock on the file beside it."""

    secrets = ()
    shares_connection = False

    def __init__(self, path: Path, *, busy_seconds: float, largest_wal: int = LARGEST_WAL) -> None:
        """Own the ledger at `path`, made or migrated where needed.

        Raises NotALedger, DatabaseInUse, DatabaseGone, or LedgerError where there is no folder.
        """
        self._path = Path(os.path.realpath(path))
        if not self._path.parent.is_dir():
            raise LedgerError(f"There is no folder {self._path.parent} to put {path.name} in.")
        self._name = str(path)
        self._inode = self._size = 0
        self._busy_seconds, self._largest_wal = busy_seconds, largest_wal
        self._drivers: dict[bool, sqlite3.Connection] = {}
        self._engine = _engine(f"{self._path.as_uri()}?mode=rw", busy_seconds)
        self._owner = OwnerFile(self._path)
        # Before our own lock file appears beside a file that is somebody else's.
        if not self._owner.exists():
            self._look()
        self._owner.take()
        try:
            with telling():
                self._prepare()
        except BaseException:
            self._owner.release()
            raise

    def connect(self) -> Connection:
        """Connect to the file, which exists: a new one in its place would forget everything.

        Takes the lock again if its file was removed; raises DatabaseInUse if another process did.
        """
        self._owner.take()
        connection = self._connect(
            "synchronous=FULL",
            f"wal_autocheckpoint={PAGES_TO_CHECKPOINT}",
            f"journal_size_limit={self._largest_wal}",
            "foreign_keys=ON",
        )
        self._inode = self._path.stat().st_ino
        self._drivers[False] = _driver_of(connection)
        return connection

    def connect_reader(self) -> Connection:
        """Connect to the same file, only to read; neither side waits for the other."""
        connection = self._connect("query_only=ON")
        self._drivers[True] = _driver_of(connection)
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

    def begin(self, connection: Connection, *, writing: bool) -> None:
        """Begin a transaction; raises DatabaseGone where the file or its lock is not in its place.

        SQLite would go on in a file that was moved or removed, and nobody would find it again.
        """
        if writing:
            self._refuse_displaced(connection)
        begin(connection, writing=writing)
        if writing:
            # Again: while this waited for its turn another owner may have come, and written.
            self._refuse_displaced(connection)

    def _refuse_displaced(self, connection: Connection) -> None:
        if not self._owner.is_ours():
            # With the next connection the lock is taken again, and what was written is read again.
            connection.invalidate()
            raise DatabaseGone(f"The lock file of {self._name} was removed.")
        try:
            found = self._path.stat()
        except OSError:
            found = None
        if found is None or found.st_ino != self._inode:
            raise DatabaseGone(f"{self._name} was moved or removed.")
        if found.st_size < self._size:
            # Kept until it is whole: SQLite makes it long again when it moves the log into it.
            self._size = sys.maxsize
            if not self._is_whole():
                raise DatabaseGone(f"{self._name} was cut short.")
        self._size = found.st_size

    def _is_whole(self) -> bool:
        """Read a file through that has become smaller, as it does of a VACUUM too."""
        try:
            with closing(_open_untouched(self._path, immutable=False)) as connection:
                _refuse_others(connection, self._name)
                _refuse_damaged(connection, self._name)
        except (LedgerError, sqlite3.Error):
            return False
        return True

    def tidy(self, connection: Connection) -> None:
        """Cut the write-ahead log short where a long reader has let it grow, if none is in it now.

        Between two transactions. Does not wait for readers: as long as one is in it this moves what
        it can into the file, and the next call tries again. Raises what the driver raises.
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
            return self._path.with_name(self._path.name + "-wal").stat().st_size > self._largest_wal
        except OSError:
            return False

    def abort(self, *, reading: bool) -> None:
        """Interrupt the statement that runs now; the wait for a lock is not interrupted."""
        _interrupt(self._drivers.get(reading))

    def close(self) -> None:
        """Let others own the file."""
        self._owner.release()

    def _look(self) -> None:
        """Raise NotALedger for what is not ours, without a trace: no lock, no -wal, no -shm."""
        if not self._is_new():
            with telling(), closing(_open_untouched(self._path, immutable=True)) as connection:
                _refuse_others(connection, self._name)

    def _prepare(self) -> None:
        if self._is_new():
            self._make()
            return
        self._look()
        self._read_through()
        connection = self.connect()
        try:
            if not is_current(connection, self._name):
                connection.rollback()
                _migrate(connection)
        finally:
            connection.close()

    def _is_new(self) -> bool:
        return not self._path.exists() or self._path.stat().st_size == 0

    def _make(self) -> None:
        draft = self._path.with_name(self._path.name + ".new")
        for leftover in (draft, draft.with_name(draft.name + "-journal")):
            leftover.unlink(missing_ok=True)
        connection = _engine(str(draft), 0.0).connect()
        try:
            _migrate(connection)
        finally:
            connection.close()
        draft.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _read_through(self) -> None:
        """Raise NotALedger for a damaged file or one of a newer program, before any write."""
        log = self._path.with_name(self._path.name + "-wal")
        has_log = log.exists() and log.stat().st_size > 0
        shared = self._path.with_name(self._path.name + "-shm")
        had_shared = shared.exists()
        try:
            with closing(_open_untouched(self._path, immutable=not has_log)) as connection:
                _refuse_others(connection, self._name)
                if self._path.stat().st_size <= CHECKED_BYTES:
                    _refuse_damaged(connection, self._name)
        except BaseException:
            if not had_shared:
                shared.unlink(missing_ok=True)
            raise


def begin(connection: Connection, *, writing: bool) -> None:
    """Begin a transaction; one that writes waits for its turn here, not half-way."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _engine(database: str, busy_seconds: float) -> Engine:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            database,
            timeout=busy_seconds,
            isolation_level=None,  # transactions begin where we say so
            check_same_thread=False,  # the store lets in one thread at a time
            uri=database.startswith("file:"),
        )

    # The driver's messages are quoted, customers' names and keys are not.
    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def _driver_of(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError(driver)
    return driver


def _interrupt(driver: sqlite3.Connection | None) -> None:
    if driver is not None:
        with suppress(sqlite3.ProgrammingError):  # it is closed
            driver.interrupt()


def _migrate(connection: Connection) -> None:
    begin(connection, writing=True)
    migrate(connection)
    connection.commit()


def _open_untouched(path: Path, *, immutable: bool) -> sqlite3.Connection:
    mode = "immutable=1" if immutable else "mode=ro"
    return sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, isolation_level=None)


def _refuse_others(connection: sqlite3.Connection, name: str) -> None:
    tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,))
    if tables.fetchone() is None:
        raise NotALedger(f"{name} is a SQLite database of something else.")
    versions = connection.execute(READ_VERSION)
    is_newest({row[0] for row in versions}, name)


def _refuse_damaged(connection: sqlite3.Connection, name: str) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise NotALedger(f"{name} is damaged: {' '.join(verdict.split())}.")
