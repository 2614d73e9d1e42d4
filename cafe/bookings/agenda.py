"""What one table is booked for and asked for, found by time without a look at all of it.

Rule: pure. Lists sorted by time, searched by bisection. Accepted bookings never overlap, so their
beginnings and their ends are in the same order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from math import inf

from cafe.bookings.booking import Booking, Status
from cafe.bookings.period import Period

_Place = tuple[float, str]


class Agenda:
    """The accepted bookings of a table, and the open requests for it."""

    def __init__(self) -> None:
        self._accepted: dict[str, Booking] = {}
        self._requests: dict[str, Booking] = {}
        self._accepted_starts: list[_Place] = []
        self._starts: list[_Place] = []
        """When requests begin, each with its id."""
        self._ends: list[float] = []

    def add(self, booking: Booking) -> None:
        """Note a booking; one that is neither accepted nor requested does not matter."""
        place = booking.starts_at, booking.booking_id
        if booking.status is Status.ACCEPTED:
            self._accepted[booking.booking_id] = booking
            insort(self._accepted_starts, place)
        elif booking.status is Status.REQUESTED:
            self._requests[booking.booking_id] = booking
            insort(self._starts, place)
            insort(self._ends, booking.ends_at)

    def remove(self, booking: Booking) -> None:
        """Drop a booking, as it was added; one that is not there does not matter."""
        place = booking.starts_at, booking.booking_id
        if self._accepted.pop(booking.booking_id, None) is not None:
            del self._accepted_starts[bisect_left(self._accepted_starts, place)]
        elif self._requests.pop(booking.booking_id, None) is not None:
            del self._starts[bisect_left(self._starts, place)]
            del self._ends[bisect_left(self._ends, booking.ends_at)]

    def is_free(self, period: Period) -> bool:
        """Return whether no accepted booking overlaps a period."""
        last = bisect_left(self._accepted_starts, (period.ends_at, "")) - 1
        if last < 0:
            return True
        _, booking_id = self._accepted_starts[last]
        return self._accepted[booking_id].ends_at <= period.starts_at

    def accepted_in(self, period: Period) -> list[Booking]:
        """Return the accepted bookings that overlap a period, the earliest first."""
        found: list[Booking] = []
        behind = bisect_left(self._accepted_starts, (period.ends_at, ""))
        for _, booking_id in reversed(self._accepted_starts[:behind]):
            booking = self._accepted[booking_id]
            if booking.ends_at <= period.starts_at:
                break
            found.append(booking)
        return found[::-1]

    def requests_in(self, period: Period) -> list[Booking]:
        """Return the open requests that overlap a period, the earliest first."""
        behind = bisect_left(self._starts, (period.ends_at, ""))
        early = (self._requests[booking_id] for _, booking_id in self._starts[:behind])
        return [one for one in early if one.ends_at > period.starts_at]

    def count_requests(self, period: Period | None = None) -> int:
        """Return how many open requests overlap a period, or how many there are."""
        if period is None:
            return len(self._starts)
        # Those that begin before its end, without those of them that end before its beginning.
        begun = bisect_left(self._starts, (period.ends_at, ""))
        return begun - bisect_right(self._ends, period.starts_at)

    def larger_than(self, seats: int) -> list[Booking]:
        """Return the accepted bookings whose party needs more seats, the earliest first."""
        accepted = self.accepted_in(Period(-inf, inf))
        return [one for one in accepted if one.party > seats]
