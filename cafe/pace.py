"""How often what costs the same whatever it carries is done: what gathers meanwhile goes with it.

Rule: a call of Redis costs a third of a millisecond of processor, and a group of a ledger on
PostgreSQL more. Few messages go at once, for processor is left then. In a rush the more come the
longer they gather, until a batch carries dozens.
"""

from __future__ import annotations

from math import inf
from typing import Final

import trio

LONGEST_SECONDS: Final = 0.025
"""Between two batches, however many messages come."""
FEW: Final = 300.0
"""Messages a second up to which none waits for others."""
BUSY: Final = 1_500.0
"""Messages a second at which the longest is reached; between the two it is in proportion."""
LOOK_SECONDS: Final = 0.25
"""Over how long messages are counted."""


class Pace:
    """When the next batch may go."""

    __slots__ = ("_counted", "_look_at", "_next_at", "_seconds")

    def __init__(self) -> None:
        """Let the first one go at once."""
        self._next_at = -inf
        self._seconds = 0.0
        self._counted = 0
        self._look_at = -inf

    async def wait(self) -> None:
        """Return when a batch may go."""
        await trio.sleep_until(self._next_at)

    def note(self, messages: int) -> None:
        """Note that a batch goes, with so many messages."""
        now = trio.current_time()
        self._counted += messages
        if now >= self._look_at:
            rate = self._counted / (LOOK_SECONDS + min(now - self._look_at, LOOK_SECONDS))
            share = (rate - FEW) / (BUSY - FEW)
            self._seconds = LONGEST_SECONDS * min(1.0, max(0.0, share))
            self._counted, self._look_at = 0, now + LOOK_SECONDS
        self._next_at = now + self._seconds
