"""The lock by which one process owns a file: `cafe.db.lock` beside `cafe.db`.

Rule: the kernel keeps it, so it is free the moment its holder is dead. The file itself stays: to
remove it lets two processes lock two files of the same name. Where it was removed, the owner finds
out with its next `is_ours`, and has to take it again.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from cafe.ledger.errors import DatabaseInUse, LedgerError

TRIES = 10
"""A lock file may be removed between its opening and its locking."""


class OwnerFile:
    """Taken and released; says who has it."""

    def __init__(self, owned: Path) -> None:
        self._owned = owned
        self._path = owned.with_name(owned.name + ".lock")
        self._descriptor: int | None = None
        self._taken: tuple[int, int] | None = None

    def exists(self) -> bool:
        """Say whether anybody has ever owned the file."""
        return self._path.exists()

    def is_ours(self) -> bool:
        """Say whether the lock is held, on the file that others would try to lock."""
        return self._taken is not None and self._taken == _identity(self._path)

    def take(self) -> None:
        """Own the file; raises DatabaseInUse at once where another process does.

        Does nothing where it is owned already. Also after the lock file was removed.
        """
        if self.is_ours():
            return
        self.release()
        for _ in range(TRIES):
            descriptor = self._lock()
            if (taken := _identity(descriptor)) == _identity(self._path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                self._descriptor, self._taken = descriptor, taken
                return
            os.close(descriptor)
        raise LedgerError(f"{self._path} is removed again and again.")

    def release(self) -> None:
        """Give it up, if it is held."""
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


def _identity(file: int | Path) -> tuple[int, int] | None:
    """Give what tells one file from any other, None where there is none."""
    try:
        found = os.fstat(file) if isinstance(file, int) else file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
