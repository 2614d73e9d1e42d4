"""A process's wait to own a ledger, and how it is cancelled from another thread.

Rule: a cancelled wait leaves no owner behind: a ledger that was opened meanwhile is closed at once.
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
        """Call `on_wait` in the opening thread, once another process is found to own the ledger."""
        self._on_wait = on_wait
        self._cancelled = Event()
        self._waits = False
        self._lock = Lock()
        self._end: Callable[[], None] = _nothing
        """Ends the running statement of the wait; closes the store once that is open."""

    def cancel(self) -> None:
        """End the wait, from any thread: `open_store` soon raises DatabaseInUse.

        If it has opened the ledger meanwhile, the store is closed: do not use it after this.
        """
        with self._lock:
            self._cancelled.set()
            self._end()

    @property
    def waits(self) -> bool:
        """Whether another process was found to own the ledger."""
        return self._waits

    def begin(self, abort: Callable[[], None]) -> None:
        """Register how to abort the wait's statements; raises DatabaseInUse if cancelled."""
        with self._lock:
            self._end = abort
            self._refuse_cancelled()

    def pause(self, seconds: float) -> None:
        """Note that another process owns the ledger; wait. Raises DatabaseInUse if cancelled."""
        if not self._waits:
            self._waits = True
            self._on_wait()
        self._cancelled.wait(seconds)
        self._refuse_cancelled()

    def end(self, close: Callable[[], None]) -> None:
        """Register how to close the open ledger; raises DatabaseInUse if cancelled."""
        with self._lock:
            self._refuse_cancelled()
            self._end = close

    def _refuse_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise DatabaseInUse("The wait for the database was cancelled.")
