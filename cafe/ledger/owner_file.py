"""The lock by which one process owns a file: `cafe.db.lock` beside `cafe.db`.

Rule: the kernel keeps it, so it is free the moment its holder is dead. The file itself stays: to
remove it would let two processes lock two files of the same name.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from cafe.ledger.errors import DatabaseInUse, LedgerError


class OwnerFile:
    """Taken and released; says who has it."""

    def __init__(self, owned: Path) -> None:
        self._owned = owned
        self._path = owned.with_name(owned.name + ".lock")
        self._descriptor: int | None = None

    def exists(self) -> bool:
        """Say whether anybody has ever owned the file."""
        return self._path.exists()

    def take(self) -> None:
        """Own the file; raises DatabaseInUse at once where somebody else does."""
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
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it up, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
