"""How long to gather messages into a batch, when each batch costs the same whatever its size.

Rule: a call of Redis costs a third of a millisecond of processor time, and a commit group on
PostgreSQL more. At a low rate messages are sent at once, since there is processor time to spare.
The higher the rate, the longer they gather, until a batch carries dozens.
"""

from __future__ import annotations

from math import inf
from typing import Final

import trio

LONGEST_SECONDS: Final = 0.025
"""The longest time between batches, at any rate."""
FEW: Final = 300.0
"""The rate, in messages a second, up to which no message waits for others."""
BUSY: Final = 1_500.0
"""The rate at which LONGEST_SECONDS is reached; between the two rates the time is interpolated."""
LOOK_SECONDS: Final = 0.25
"""The period over which messages are counted."""


class Pace:
    """Limits the rate of batches by the rate of messages."""

    __slots__ = ("_counted", "_look_at", "_next_at", "_seconds")

    def __init__(self) -> None:
        """Allow the first batch at once."""
        self._next_at = -inf
        self._seconds = 0.0
        self._counted = 0
        self._look_at = -inf

    async def wait(self) -> None:
        """Wait until a batch may be sent."""
        await trio.sleep_until(self._next_at)

    def note(self, messages: int) -> None:
        """Count a batch that is sent now, with this many messages."""
        now = trio.current_time()
        self._counted += messages
        if now >= self._look_at:
            rate = self._counted / (LOOK_SECONDS + min(now - self._look_at, LOOK_SECONDS))
            share = (rate - FEW) / (BUSY - FEW)
            self._seconds = LONGEST_SECONDS * min(1.0, max(0.0, share))
            self._counted, self._look_at = 0, now + LOOK_SECONDS
        self._next_at = now + self._seconds
