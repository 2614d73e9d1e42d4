"""A ledger's SQLite file: is it new, is it ours, is it whole, is it still in its place.

Rule: what is looked at is left as it is, to the byte, with nothing beside it.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from cafe.ledger.errors import DatabaseGone, LedgerError, NotALedger
from cafe.ledger.migrating import READ_VERSION, VERSION_TABLE, is_newest

CHECKED_BYTES = 256 * 2**20
"""Larger files are not read through at the start: that would take seconds."""


class LedgerFile:
    """One file, and what SQLite keeps beside it."""

    def __init__(self, path: Path, name: str) -> None:
        """Remember the real path, and what errors call it."""
        self.path = path
        self.name = name
        self.log = path.with_name(path.name + "-wal")
        self.shared = path.with_name(path.name + "-shm")
        self._inode = self._size = self._log_inode = 0

    def is_new(self) -> bool:
        """Say whether a ledger has to be made here.

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
        """Say whether there are commits that are not yet in the file itself."""
        return self.log.exists() and self.log.stat().st_size > 0

    def look(self) -> None:
        """Raise NotALedger for what is not ours; the log is not read, and may hold the version."""
        with closing(self._connect("immutable=1")) as connection:
            self._refuse_others(connection)

    def read_through(self, *, largest: float = CHECKED_BYTES) -> None:
        """Raise NotALedger for a damaged file or one of a newer program.

        A file of more than `largest` bytes is not searched for damage.
        """
        with self.untouched() as connection:
            self._refuse_others(connection)
            if self.path.stat().st_size <= largest:
                self._refuse_damaged(connection)

    def find_place(self) -> None:
        """Remember which file has the name now: it was connected to."""
        self._inode, self._log_inode = self.path.stat().st_ino, 0

    def refuse_displaced(self) -> None:
        """Raise DatabaseGone where that file has the name no more, or was cut short since."""
        try:
            found = self.path.stat()
        except OSError:
            found = None
        if found is None or found.st_ino != self._inode:
            raise DatabaseGone(f"{self.name} was moved or removed.")
        if found.st_size < self._size:
            # Kept until it is whole: SQLite makes it long again when it moves the log into it.
            self._size = sys.maxsize
            if not self._is_whole():
                raise DatabaseGone(f"{self.name} was cut short.")
        self._size = found.st_size

    def has_lost_log(self) -> bool:
        """Tell whether the log that was here since this was connected to has its name no more.

        SQLite would go on writing into it, and the next process to open the file would not find it.
        """
        try:
            found = self.log.stat().st_ino
        except OSError:
            found = 0
        self._log_inode = self._log_inode or found
        return found != self._log_inode

    def _is_whole(self) -> bool:
        """Read a file through that has become smaller, as it does of a VACUUM too."""
        try:
            with closing(self._connect("mode=ro")) as connection:
                self._refuse_others(connection)
                self._refuse_damaged(connection)
        except (LedgerError, sqlite3.Error):
            return False
        return True

    @contextmanager
    def untouched(self) -> Generator[sqlite3.Connection]:
        """Give a connection that reads the file and its log, and leaves nothing behind."""
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

    def _refuse_others(self, connection: sqlite3.Connection) -> None:
        tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,))
        if tables.fetchone() is None:
            raise NotALedger(f"{self.name} is a SQLite database of something else.")
        versions = connection.execute(READ_VERSION)
        is_newest({row[0] for row in versions}, self.name)

    def _refuse_damaged(self, connection: sqlite3.Connection) -> None:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise NotALedger(f"{self.name} is damaged: {' '.join(verdict.split())}.")


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
