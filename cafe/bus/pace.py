"""How often an end of the bus sends: what gathers between two batches goes with the next.

Rule: a call of Redis costs a third of a millisecond of processor, whatever it carries. So the first
message after a quiet time goes at once, later ones wait for some milliseconds; and where many come,
so that each batch is worth its cost anyway, somewhat longer.
"""

from __future__ import annotations

from math import inf
from typing import Final

import trio

PACE_SECONDS: Final = 0.005
"""Between two batches, at least."""
BUSY_SECONDS: Final = 0.02
"""The same, while batches are of BUSY messages or more."""
BUSY: Final = 4


class Pace:
    """When the next batch may go."""

    __slots__ = ("_next_at", "_seconds")

    def __init__(self) -> None:
        """Let the first one go at once."""
        self._next_at = -inf
        self._seconds = PACE_SECONDS

    async def wait(self) -> None:
        """Return when a batch may go."""
        await trio.sleep_until(self._next_at)
        self._next_at = trio.current_time() + self._seconds

    def note(self, messages: int) -> None:
        """Note how many messages a batch has."""
        self._next_at -= self._seconds
        self._seconds = BUSY_SECONDS if messages >= BUSY else PACE_SECONDS
        self._next_at += self._seconds
