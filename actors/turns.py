"""Turns: an instance is touched by one call at a time.

The one rule: turns never overlap. A turn is one plain call into the instance: a plain or deferred
handler, a timer's callback, or the word that an asker has gone. What asks for a turn while one is
under way gets it right after, before anything else runs. An async handler is not a turn: while it
is suspended other messages and timers wait, and only the word that an asker has gone gets through.
"""

from collections import deque
from collections.abc import Callable


class Turns:
    """The turn of one actor that is under way, and those that wait for its end."""

    __slots__ = ("_failed", "_waiting", "under_way")

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self.under_way = False
        self._failed = failed
        self._waiting: deque[Callable[[], None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, callback: Callable[[], None]) -> None:
        """Run the callback as a turn: at once, or right after the turn that is under way."""
        self._waiting.append(callback)
        if not self.under_way:
            self.take_waiting()

    def take_waiting(self) -> None:
        """Run what has been waiting for the end of a turn."""
        while self._waiting:
            callback = self._waiting.popleft()
            self.under_way = True
            try:
                callback()
            except Exception as error:  # noqa: BLE001 - a crash is whatever a turn raises
                self._failed(error)
            self.under_way = False

    def drop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
