"""A process that waits to own a ledger: what it says of itself, and how its wait is cancelled.

Rule: a wait that was cancelled leaves no owner behind: a ledger that is opened nevertheless is
closed at once.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock

from cafe.ledger.errors import DatabaseInUse


def _nothing() -> None:
    """Do nothing."""


class Standby:
    """One wait for the ownership of a ledger; given to `open_store`."""

    def __init__(self, on_wait: Callable[[], None] = _nothing) -> None:
        """Call `on_wait`, in the thread that opens, when another process is seen to own it."""
        self._on_wait = on_wait
        self._cancelled = Event()
        self._waits = False
        self._lock = Lock()
        self._end: Callable[[], None] = _nothing
        """What ends the statement that the wait runs, and later the store."""

    def cancel(self) -> None:
        """End the wait, from any thread: `open_store` soon raises DatabaseInUse.

        If it has opened the ledger meanwhile, that is closed: call this only where what it returns
        will not be used.
        """
        with self._lock:
            self._cancelled.set()
            self._end()

    @property
    def waits(self) -> bool:
        """Whether another process has been seen to own the ledger."""
        return self._waits

    def begin(self, abort: Callable[[], None]) -> None:
        """Name what ends the statement that runs; raises DatabaseInUse where it was cancelled."""
        with self._lock:
            self._end = abort
            self._refuse_cancelled()

    def pause(self, seconds: float) -> None:
        """Say that another process owns the ledger, and wait; raises DatabaseInUse as `cancel`."""
        if not self._waits:
            self._waits = True
            self._on_wait()
        self._cancelled.wait(seconds)
        self._refuse_cancelled()

    def end(self, close: Callable[[], None]) -> None:
        """Say that the ledger is open, and what closes it; raises DatabaseInUse as `cancel`."""
        with self._lock:
            self._refuse_cancelled()
            self._end = close

    def _refuse_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise DatabaseInUse("The wait for the database was cancelled.")
