"""An agenda: what is to be done with which payment, when, and by one caller at a time.

Rule: pure; time is passed in. A payment is on it once, and either waits for its time or is in the
hands of a caller.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import Final

PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
LONGEST_AS_TOLD: Final = 300.0
"""A provider's `Retry-After` is honoured up to this."""


class Agenda:
    """Payments, each with the time at which it is due."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._due_at: dict[str, float] = {}
        """Of those that wait. What the heap has beside these is outdated."""
        self._tries: dict[str, int] = {}
        """Of those that wait or are taken: how often they were put back."""

    def __len__(self) -> int:
        return len(self._tries)

    def __contains__(self, payment_id: str) -> bool:
        return payment_id in self._tries

    def add(self, payment_id: str, due_at: float) -> None:
        """Put a payment on the agenda, unless it is there."""
        if payment_id not in self._tries:
            self._tries[payment_id] = 0
            self._wait(payment_id, due_at)

    def take(self, now: float) -> str | None:
        """Take the payment that has been due for longest; None if there is none."""
        if self.next_at() > now:
            return None
        _, payment_id = heappop(self._heap)
        del self._due_at[payment_id]
        return payment_id

    def put_back(self, payment_id: str, due_at: float) -> None:
        """Let a payment that was taken wait for another try."""
        if payment_id in self._tries and payment_id not in self._due_at:
            self._tries[payment_id] += 1
            self._wait(payment_id, due_at)

    def remove(self, payment_id: str) -> None:
        """Take a payment off the agenda; there is nothing left to do."""
        self._tries.pop(payment_id, None)
        self._due_at.pop(payment_id, None)

    def tries(self, payment_id: str) -> int:
        """Return how often a payment was put back."""
        return self._tries.get(payment_id, 0)

    def next_at(self) -> float:
        """Return when the next payment is due; infinity if none waits."""
        while self._heap and self._due_at.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else inf

    def waiting(self) -> tuple[str, ...]:
        """Return those that are not taken."""
        return tuple(self._due_at)

    def _wait(self, payment_id: str, due_at: float) -> None:
        self._due_at[payment_id] = due_at
        heappush(self._heap, (due_at, payment_id))


def pause(tries: int, retry_after: float | None, chance: float) -> float:
    """Return the seconds until the next try, after so many.

    They double up to a minute, less a random share of up to a half; `chance` is from 0 to 1. What a
    provider asks for is the least.
    """
    doubled = min(LONGEST_PAUSE, PAUSE * 2.0 ** min(tries, 16))
    return max(doubled * (1 - chance / 2), min(LONGEST_AS_TOLD, retry_after or 0.0))
