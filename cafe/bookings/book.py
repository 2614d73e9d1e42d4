"""The book: all tables, and all bookings that are not over, with the rules that hold between them.

Rule: pure. No two accepted bookings of a table overlap, and no request is open for a time that is
taken: accepting a booking declines the requests that overlap it, in the same call. An account has
at most one requested or accepted booking of a table for the same time. Each method that changes the
book returns the transitions that it has made, which its caller writes to the journal.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from cafe.bookings.agenda import Agenda
from cafe.bookings.booking import Action, Booking, BookingChange, Holding, Status, Step, begin, take
from cafe.bookings.period import Limits, Period, check
from cafe.bookings.table import (
    DiningTable,
    TableAction,
    TableChange,
    TableFilter,
    TableStatus,
    TableType,
    revise,
)

MOST_REQUESTS: Final = 100_000
"""The most open requests in all: they are in memory, and anyone can make them."""
FIRST_NUMBER: Final = 1
TAKEN: Final = "The table was given to another guest for this time."
"""Why a request is declined when another booking is accepted."""


class BookError(Exception):
    """The book does not allow it."""


class UnknownTableError(BookError):
    """There is no such table."""


class UnknownBookingError(BookError):
    """There is no such booking, or it is over."""


class NumberTakenError(BookError):
    """Another table has this number."""


class ClosedError(BookError):
    """The table is closed for booking."""


class TooFewSeatsError(BookError):
    """The party is larger than the table."""

    def __init__(self, seats: int) -> None:
        super().__init__(f"the table has {seats}")
        self.seats = seats


class AcceptedError(BookError):
    """These accepted bookings overlap."""

    def __init__(self, bookings: Iterable[Booking]) -> None:
        self.booking_ids = [one.booking_id for one in bookings]
        super().__init__(", ".join(self.booking_ids))


class SeatsNeededError(AcceptedError):
    """The parties of these accepted bookings need more seats."""


class BegunError(BookError):
    """The booking has begun, so its guest can no longer cancel it."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


class FullError(BookError):
    """The book has its maximum of open requests."""


class Wish(NamedTuple):
    """The wanted changes of a table; None leaves a field as it is."""

    type: TableType | None = None
    seats: int | None = None
    price_cents: int | None = None
    status: TableStatus | None = None


class Listed(NamedTuple):
    """A table, and how many open requests there are for it."""

    table: DiningTable
    requests: int


class Book:
    """The tables and bookings of the house."""

    def __init__(
        self,
        tables: Iterable[DiningTable] = (),
        bookings: Iterable[Booking] = (),
        *,
        most_requests: int = MOST_REQUESTS,
    ) -> None:
        """Start from these; bookings that are over may be left out."""
        self.tables = {one.table_id: one for one in tables}
        self.bookings = {one.booking_id: one for one in bookings}
        self._numbers = sorted(one.number for one in self.tables.values())
        self._ids = [one.table_id for one in sorted(self.tables.values(), key=_number)]
        """The ids of the tables, in the order of their numbers."""
        self._agendas = {table_id: Agenda() for table_id in self.tables}
        self._most_requests = most_requests
        self._open = 0
        self._of_accounts: dict[Holding, str] = {}
        """The ids of the bookings that accounts hold."""
        for one in sorted(self.bookings.values(), key=lambda one: one.starts_at):
            self._index(one)
            self._open += one.status is Status.REQUESTED
        self._beginnings = [
            (one.starts_at, one.booking_id)
            for one in self.bookings.values()
            if one.status is Status.REQUESTED
        ]
        self._ends = [(one.ends_at, one.booking_id) for one in self.bookings.values()]
        heapify(self._beginnings)
        heapify(self._ends)

    # Time

    def pass_time(self, now: float) -> list[BookingChange]:
        """Expire the requests whose time has come, and forget the bookings that are over."""
        changes: list[BookingChange] = []
        while self._beginnings and self._beginnings[0][0] <= now:
            booking = self.bookings[heappop(self._beginnings)[1]]
            if booking.status is Status.REQUESTED:
                changes.append(self._apply(take(Step(Action.EXPIRE), booking, now)))
        while self._ends and self._ends[0][0] <= now:
            over = self.bookings.pop(heappop(self._ends)[1])
            self._drop(over)
        return changes

    @property
    def next_at(self) -> float | None:
        """The earliest time at which a request may expire; None if there is none."""
        return self._beginnings[0][0] if self._beginnings else None

    # Tables

    def add(self, table: DiningTable) -> list[TableChange]:
        """Add a table, and close it if its status is closed; one that is there stays as it is.

        Raises NumberTakenError.
        """
        if table.table_id in self.tables:
            return []
        place = bisect_right(self._numbers, table.number)
        if self._numbers[place - 1 : place] == [table.number]:
            raise NumberTakenError
        self.tables[table.table_id] = table
        self._numbers.insert(place, table.number)
        self._ids.insert(place, table.table_id)
        self._agendas[table.table_id] = Agenda()
        opened = table._replace(status=TableStatus.OPEN)
        return [TableChange(TableAction.ADD, None, opened), *revise(opened, table)]

    def next_number(self) -> int:
        """Return the next free number: one more than the highest."""
        return self._numbers[-1] + 1 if self._numbers else FIRST_NUMBER

    def change(self, table_id: str, wish: Wish) -> list[TableChange]:
        """Change a table; raises UnknownTableError or SeatsNeededError."""
        table = self.table(table_id)
        members = {name: value for name, value in wish._asdict().items() if value is not None}
        after = table._replace(**members)
        needed = self._agendas[table_id].larger_than(after.seats)
        if needed and after.seats < table.seats:
            raise SeatsNeededError(needed)
        self.tables[table_id] = after
        return revise(table, after)

    def table(self, table_id: str) -> DiningTable:
        """Return a table; raises UnknownTableError."""
        found = self.tables.get(table_id)
        if found is None:
            raise UnknownTableError
        return found

    def numbered(self, number: int) -> DiningTable:
        """Return the table with a number; raises UnknownTableError."""
        place = bisect_left(self._numbers, number)
        if self._numbers[place : place + 1] != [number]:
            raise UnknownTableError
        return self.tables[self._ids[place]]

    def behind(self, number: int, most: int) -> list[DiningTable]:
        """Return at most `most` tables after a number."""
        first = bisect_right(self._numbers, number)
        return [self.tables[table_id] for table_id in self._ids[first : first + most]]

    def search(
        self, wanted: TableFilter, period: Period | None, number: int, most: int
    ) -> list[Listed]:
        """Return at most `most` open tables after a number that fit and are free in the period."""
        found: list[Listed] = []
        for table_id in self._ids[bisect_right(self._numbers, number) :]:
            agenda = self._agendas[table_id]
            if period is not None and not agenda.is_free(period):
                continue
            table = self.tables[table_id]
            if table.status is TableStatus.OPEN and wanted.fits(table):
                found.append(Listed(table, agenda.count_requests(period)))
                if len(found) == most:
                    break
        return found

    # Bookings

    def find(self, booking_id: str) -> Booking:
        """Return a booking that is not over; raises UnknownBookingError."""
        found = self.bookings.get(booking_id)
        if found is None:
            raise UnknownBookingError
        return found

    def conflicts(self, booking: Booking) -> list[Booking]:
        """Return the other requests and accepted bookings that overlap a booking."""
        agenda = self._agendas[booking.table_id]
        period = booking.period
        both = [*agenda.accepted_in(period), *agenda.requests_in(period)]
        return [one for one in both if one.booking_id != booking.booking_id]

    def repeated(self, booking: Booking) -> Booking | None:
        """Return the booking that a new one repeats: the one with its id, or its account's.

        A second request of an account for the same table and time repeats the booking that it has,
        as long as this is requested or accepted.
        """
        known = self.bookings.get(booking.booking_id)
        if known is None and booking.holding is not None:
            known = self.bookings.get(self._of_accounts.get(booking.holding, ""))
        return known

    def begin(
        self, booking: Booking, now: float, limits: Limits, by: str | None = None
    ) -> list[BookingChange]:
        """Add a request, or a direct booking with what it declines; do nothing if it is repeated.

        Raises UnknownTableError, TooFewSeatsError, PeriodError, ClosedError, AcceptedError or
        FullError.
        """
        if self.repeated(booking) is not None:
            return []
        table = self.table(booking.table_id)
        if booking.party > table.seats:
            raise TooFewSeatsError(table.seats)
        check(booking.period, now, limits)
        self._check_free(table, booking)
        if booking.status is Status.REQUESTED and self._open >= self._most_requests:
            raise FullError
        heappush(self._ends, (booking.ends_at, booking.booking_id))
        if booking.status is Status.REQUESTED:
            heappush(self._beginnings, (booking.starts_at, booking.booking_id))
        change = self._apply(begin(booking, by))
        return [change, *self._decline_others(booking, by)]

    def move(self, booking_id: str, step: Step, now: float) -> list[BookingChange]:
        """Apply a step to a booking, and decline what it displaces; do nothing if it is repeated.

        Raises UnknownBookingError, WrongStepError, ClosedError, TooFewSeatsError, AcceptedError.
        """
        booking = self.find(booking_id)
        if step.step_id is not None and step.step_id == booking.step_id:
            return []
        change = take(step, booking, now)
        if step.action is Action.ACCEPT:
            table = self.table(booking.table_id)
            self._check_free(table, booking)
            if booking.party > table.seats:  # it has fewer since the request
                raise TooFewSeatsError(table.seats)
        return [self._apply(change), *self._decline_others(change.booking, step.by)]

    def cancel_by_guest(self, booking_id: str, step: Step, now: float) -> list[BookingChange]:
        """Cancel a booking that has not begun; raises BegunError, or an error of `move`."""
        booking = self.find(booking_id)
        if booking.status is Status.ACCEPTED and not booking.may_be_cancelled(now):
            raise BegunError(booking.status)
        return self.move(booking_id, step, now)

    def declined_with(self, booking: Booking) -> list[Booking]:
        """Return the requests that were declined because this booking was accepted."""
        if booking.status is not Status.ACCEPTED or booking.step_id is None:
            return []
        same = [one for one in self.bookings.values() if one.step_id == booking.step_id]
        return [one for one in same if one.status is Status.DECLINED]

    def _check_free(self, table: DiningTable, booking: Booking) -> None:
        if table.status is TableStatus.CLOSED:
            raise ClosedError
        in_the_way = self._agendas[table.table_id].accepted_in(booking.period)
        if in_the_way:
            raise AcceptedError(in_the_way)

    def _decline_others(self, booking: Booking, by: str | None) -> list[BookingChange]:
        """Decline the requests that overlap a booking that was just accepted."""
        if booking.status is not Status.ACCEPTED:
            return []
        step = Step(Action.DECLINE, booking.step_id, by, TAKEN)
        others = self._agendas[booking.table_id].requests_in(booking.period)
        return [self._apply(take(step, one, booking.changed_at)) for one in others]

    def _apply(self, change: BookingChange) -> BookingChange:
        booking = change.booking
        before = self.bookings.get(booking.booking_id)
        if before is not None:
            self._drop(before)
            self._open -= before.status is Status.REQUESTED
        self._index(booking)
        self._open += booking.status is Status.REQUESTED
        self.bookings[booking.booking_id] = booking
        return change

    def _index(self, booking: Booking) -> None:
        """Index a booking by its time, and by its account."""
        self._agendas[booking.table_id].add(booking)
        if booking.holding is not None:
            self._of_accounts[booking.holding] = booking.booking_id

    def _drop(self, booking: Booking) -> None:
        """Remove a booking, as it was indexed, from the indexes."""
        self._agendas[booking.table_id].remove(booking)
        if booking.holding is not None:
            self._of_accounts.pop(booking.holding, None)


def _number(table: DiningTable) -> int:
    return table.number
