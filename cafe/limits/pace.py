"""How fast addresses connect, and how often for nothing: what floods do, and no customer.

Rule: it counts, and forgets all at the end of each period, so it is bounded by what can come within
one. An address that comes when a period ends may do twice as much; the bounds are wide enough.

A connection is wasted if its client left within a second of being accepted, before it had been
answered anything. A group of customers does not do that, however many they are: they wait. A flood
that gives up and comes again does nothing else, and before the requests of such connections have
been counted, each of them has cost as much as an order.
"""

from __future__ import annotations

from typing import Final

PERIOD: Final = 10.0
"""Seconds in which it is counted how many connections an address opens."""

LEAST_COMING: Final = 400
"""An address may open so many within a period, however low its other limits are set."""

MOST_WASTED: Final = 200
"""So many connections may an address waste within a second: a whole group that thinks again."""

SUSPICIOUS: Final = 20
"""Who has wasted so many within a second is looked at whether it is still there when accepted."""

QUICK_SECONDS: Final = 1.0
"""A connection that lasted longer was not wasted."""

MOST_ADDRESSES: Final = 10_000
"""Addresses that are counted within one period."""


class Tally:
    """Counts by address, from nothing in each period."""

    __slots__ = ("_counts", "_ends", "_seconds")

    def __init__(self, seconds: float) -> None:
        """Begin anew after each so many seconds."""
        self._seconds = seconds
        self._ends = 0.0
        self._counts: dict[str, int] = {}

    def add(self, address: str, now: float) -> None:
        """Count one more, unless so many addresses are known that no other can be."""
        self._begin_anew(now)
        if address in self._counts or len(self._counts) < MOST_ADDRESSES:
            self._counts[address] = self._counts.get(address, 0) + 1

    def count(self, address: str, now: float) -> int:
        """Give how often it was counted in this period."""
        self._begin_anew(now)
        return self._counts.get(address, 0)

    def _begin_anew(self, now: float) -> None:
        if now >= self._ends:
            self._ends = now + self._seconds
            self._counts = {}


class Pace:
    """Tells which addresses come too fast."""

    def __init__(self, per_address: int) -> None:
        """Let an address open twice as many within a period as it may have open at one time."""
        self._most_coming = max(2 * per_address, LEAST_COMING)
        self._coming = Tally(PERIOD)
        self._wasted = Tally(QUICK_SECONDS)

    def came(self, address: str, now: float) -> None:
        """Count a connection that was accepted."""
        self._coming.add(address, now)

    def left(self, address: str, since: float, now: float) -> None:
        """Count a connection that ended unanswered, as wasted if it was accepted only just now."""
        if now - since < QUICK_SECONDS:
            self._wasted.add(address, now)

    def is_suspect(self, address: str, now: float) -> bool:
        """Tell whether an address wastes connections."""
        return self._wasted.count(address, now) >= SUSPICIOUS

    def is_too_fast(self, address: str, now: float) -> bool:
        """Tell whether the next connection of an address is one too many."""
        return (
            self._wasted.count(address, now) >= MOST_WASTED
            or self._coming.count(address, now) >= self._most_coming
        )
