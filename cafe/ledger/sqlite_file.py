"""A ledger's SQLite file: whether it is new, ours, undamaged and in place, and its owner's lock.

Rule: a file that is examined is left unchanged, to the byte, without new files beside it.

The owner holds a lock on `cafe.db.lock`, beside `cafe.db`. The kernel keeps the lock, so it is free
when its holder is dead. The lock file itself is kept: if it were removed, two processes could lock
two files of the same name. If another program removes it, the owner finds out with its next
`is_ours`, and has to take the lock again.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL

from cafe.ledger.database import is_in_memory
from cafe.ledger.errors import (
    DatabaseGone,
    DatabaseInUse,
    LedgerError,
    NotALedger,
    WrongDatabaseError,
)
from cafe.ledger.tables import (
    READ_VERSION,
    VERSION_TABLE,
    is_newest,
)

CHECKED_BYTES = 256 * 2**20
"""Larger files are not checked at the start: that would take seconds."""


class LedgerFile:
    """One database file, and the files that SQLite keeps beside it."""

    def __init__(self, path: Path, name: str) -> None:
        """Refer to the file at the real path `path`, which errors call `name`."""
        self.path = path
        self.name = name
        self.log = path.with_name(path.name + "-wal")
        self.shared = path.with_name(path.name + "-shm")
        self._inode = self._size = self._log_inode = 0

    def is_new(self) -> bool:
        """Return whether there is no ledger here yet.

        Raises NotALedger for a log without its file: SQLite would write it into the new one.
        """
        if self.path.exists() and self.path.stat().st_size > 0:
            return False
        if self.has_log():
            raise NotALedger(
                f"{self.name} is not there, but {self.log.name} is: put the file back, "
                "or run: cafe db restore"
            )
        return True

    def has_log(self) -> bool:
        """Return whether there are commits that are not yet in the file itself."""
        return self.log.exists() and self.log.stat().st_size > 0

    def refuse_foreign(self) -> None:
        """Raise NotALedger for another program's file; does not read the write-ahead log."""
        with closing(self._connect("immutable=1")) as connection:
            self._refuse_foreign_tables(connection)

    def refuse_damaged(self, *, largest: float = CHECKED_BYTES) -> None:
        """Raise NotALedger for a damaged file or one of a newer program.

        A file of more than `largest` bytes is not checked for damage.
        """
        with self.untouched() as connection:
            self._refuse_foreign_tables(connection)
            if self.path.stat().st_size <= largest:
                self._refuse_corrupt(connection)

    def remember_place(self) -> None:
        """Remember the file that has the name now, for `has_lost_log`."""
        self._inode, self._log_inode = self.path.stat().st_ino, 0

    def has_lost_log(self) -> bool:
        """Return whether the write-ahead log of this connection was moved or removed.

        SQLite would go on writing to it, and the next process to open the file would not find it.
        Raises DatabaseGone if the file itself was moved, removed or truncated since.
        """
        try:
            found = self.path.stat()
        except OSError:
            found = None
        if found is None or found.st_ino != self._inode:
            raise DatabaseGone(f"{self.name} was moved or removed.")
        if found.st_size < self._size:
            # Check again until it is whole: SQLite extends the file when it moves the log into it.
            self._size = sys.maxsize
            if not self._is_whole():
                raise DatabaseGone(f"{self.name} was truncated.")
        self._size = found.st_size
        try:
            log_inode = self.log.stat().st_ino
        except OSError:
            log_inode = 0
        self._log_inode = self._log_inode or log_inode
        return log_inode != self._log_inode

    def _is_whole(self) -> bool:
        """Check a file that has become smaller: a VACUUM does that, too."""
        try:
            with closing(self._connect("mode=ro")) as connection:
                self._refuse_foreign_tables(connection)
                self._refuse_corrupt(connection)
        except (LedgerError, sqlite3.Error):
            return False
        return True

    @contextmanager
    def untouched(self) -> Generator[sqlite3.Connection]:
        """Yield a connection that reads the file and its log, and leaves no file beside them."""
        had_shared = self.shared.exists()
        try:
            mode = "mode=ro" if self.has_log() else "immutable=1"
            with closing(self._connect(mode)) as connection:
                yield connection
        finally:
            if not had_shared:
                self.shared.unlink(missing_ok=True)

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.path.as_uri()}?{mode}", uri=True, isolation_level=None)

    def _refuse_foreign_tables(self, connection: sqlite3.Connection) -> None:
        tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,))
        if tables.fetchone() is None:
            raise NotALedger(f"{self.name} is a SQLite database of another program.")
        versions = connection.execute(READ_VERSION)
        is_newest({row[0] for row in versions}, self.name)

    def _refuse_corrupt(self, connection: sqlite3.Connection) -> None:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise NotALedger(f"{self.name} is damaged: {' '.join(verdict.split())}.")


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


TRIES = 10
"""Attempts to lock: the file may be removed between its opening and its locking."""


class OwnerFile:
    """The lock file, which contains the owner's process id."""

    def __init__(self, owned: Path) -> None:
        self._owned = owned
        self._path = owned.with_name(owned.name + ".lock")
        self._descriptor: int | None = None
        self._taken: tuple[int, int] | None = None

    def exists(self) -> bool:
        """Return whether any process has ever owned the file."""
        return self._path.exists()

    def is_ours(self) -> bool:
        """Return whether the lock is held, on the file that others would try to lock."""
        try:
            found = self._path.stat()
        except OSError:
            return False
        return self._taken == (found.st_dev, found.st_ino)

    def take(self) -> None:
        """Own the file; raises DatabaseInUse at once if another process does.

        Does nothing if this process owns it. Takes the lock again if its file was removed.
        """
        if self.is_ours():
            return
        self.release()
        for _ in range(TRIES):
            self._descriptor = self._lock()
            locked = os.fstat(self._descriptor)
            self._taken = locked.st_dev, locked.st_ino
            if self.is_ours():
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
                return
            self.release()
        raise LedgerError(f"{self._path} is removed again and again.")

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = self._taken = None

    def _lock(self) -> int:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise LedgerError(f"Cannot write {self._path}: {error.strerror}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            who = f"process {holder}" if holder else "another process"
            raise DatabaseInUse(f"{self._owned} is in use by {who}.") from None
        return descriptor


_BUSY_SECONDS = 5.0
_MAGIC = b"SQLite format 3\x00"


def existing_file(url: URL) -> Path:
    """Return the file of an SQLite address; raises WrongDatabaseError or NotALedger."""
    if is_in_memory(url) or url.database is None:
        raise WrongDatabaseError("A ledger in memory can be read by its own shop only.")
    path = Path(url.database)
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise WrongDatabaseError(f"{path} cannot be read: {error.strerror}.") from None
    if magic != _MAGIC:
        raise NotALedger(f"{path} is no SQLite database.")
    return path


def connect_to_file(path: Path) -> sqlite3.Connection:
    """Open an existing SQLite file for reading.

    Not by mode=ro: with that, the last connection leaves a -wal and a -shm file when it closes.
    """
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
    )
    connection.execute("PRAGMA query_only = ON")
    return connection


LOGS = ("-wal", "-journal")
"""SQLite applies such a file to any database with its name without this ending."""


def complete_restore(target: LedgerFile) -> Path | None:
    """Finish a restore whose copy is complete, as the owner; return the former ledger's name."""
    ready = beside(target, ".restored")
    if not ready.exists():
        return None
    aside = _free_name(target)
    for ending in (*LOGS, ""):
        former = beside(target, ending)
        if former.exists():
            former.rename(f"{aside}{ending}")
    target.shared.unlink(missing_ok=True)
    # The copy must not have the name while the former log still has its own.
    sync_folder(ready.parent)
    ready.rename(target.path)
    sync_folder(ready.parent)
    return aside if aside.exists() else None


def _free_name(target: LedgerFile) -> Path:
    for number in count(1):
        aside = beside(target, f".before-restore-{number}")
        logs = [ending for ending in LOGS if beside(target, ending).exists()]
        taken = (Path(f"{aside}{ending}").exists() for ending in ("", *logs))
        if not any(taken):
            return aside
    raise AssertionError


def beside(target: LedgerFile, ending: str) -> Path:
    """Return the path of a file that belongs to a ledger: its name with an ending."""
    return target.path.with_name(target.path.name + ending)
