"""An index by time of one table's accepted bookings and open requests.

Rule: pure. Lists sorted by time, searched by bisection. Accepted bookings never overlap, so their
beginnings and their ends are in the same order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from cafe.bookings.booking import Booking, Status
from cafe.bookings.period import Period


class Agenda:
    """The accepted bookings of a table, and the open requests for it."""

    __slots__ = ("_accepted", "_ends", "_free_from", "_requests", "_starts", "_taken_from")

    def __init__(self) -> None:
        self._accepted: list[Booking] = []
        self._taken_from: list[float] = []
        self._free_from: list[float] = []
        """The beginnings and the ends of the accepted bookings, in the same order."""
        self._requests: list[Booking] = []
        self._starts: list[float] = []
        """The beginnings of the requests, in the same order; `_ends` has an order of its own."""
        self._ends: list[float] = []

    def add(self, booking: Booking) -> None:
        """Add a booking; one that is neither accepted nor requested is ignored."""
        if booking.status is Status.ACCEPTED:
            place = bisect_left(self._taken_from, booking.starts_at)
            self._accepted.insert(place, booking)
            self._taken_from.insert(place, booking.starts_at)
            self._free_from.insert(place, booking.ends_at)
        elif booking.status is Status.REQUESTED:
            place = bisect_right(self._starts, booking.starts_at)
            self._requests.insert(place, booking)
            self._starts.insert(place, booking.starts_at)
            insort(self._ends, booking.ends_at)

    def remove(self, booking: Booking) -> None:
        """Remove a booking as it was added; one that was ignored is ignored again."""
        if booking.status is Status.ACCEPTED:
            place = bisect_left(self._taken_from, booking.starts_at)
            del self._accepted[place], self._taken_from[place], self._free_from[place]
        elif booking.status is Status.REQUESTED:
            first = bisect_left(self._starts, booking.starts_at)
            place = self._requests.index(booking, first)
            del self._requests[place], self._starts[place]
            del self._ends[bisect_left(self._ends, booking.ends_at)]

    def is_free(self, period: Period) -> bool:
        """Return whether no accepted booking overlaps a period."""
        # The last that begins before the period's end is the last to end, as they never overlap.
        behind = bisect_left(self._taken_from, period.ends_at)
        return not behind or self._free_from[behind - 1] <= period.starts_at

    def accepted_in(self, period: Period) -> list[Booking]:
        """Return the accepted bookings that overlap a period, the earliest first."""
        first = bisect_right(self._free_from, period.starts_at)
        return self._accepted[first : bisect_left(self._taken_from, period.ends_at)]

    def requests_in(self, period: Period) -> list[Booking]:
        """Return the open requests that overlap a period, the earliest first."""
        early = self._requests[: bisect_left(self._starts, period.ends_at)]
        return [one for one in early if one.ends_at > period.starts_at]

    def count_requests(self, period: Period | None = None) -> int:
        """Return how many open requests overlap a period, or how many there are."""
        if period is None:
            return len(self._starts)
        # Those that begin before its end, minus those that end before its beginning.
        begun = bisect_left(self._starts, period.ends_at)
        return begun - bisect_right(self._ends, period.starts_at)

    def larger_than(self, seats: int) -> list[Booking]:
        """Return the accepted bookings whose party needs more seats, the earliest first."""
        return [one for one in self._accepted if one.party > seats]
