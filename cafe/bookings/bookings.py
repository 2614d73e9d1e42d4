"""Bookings: the actor that owns tables, requests for them, and managers' decisions.

Rule: each command is one turn and one commit, with the requests that it declines. So if twenty
managers accept overlapping requests at once, one is first, and the others find theirs declined. All
tables and all bookings that are not over are in memory; the ledger has the others. A turn first
expires requests that are due, so none decides a request whose time has come.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import trio

from actors import Actor, Reply, Timer
from cafe.bookings.book import Book, Listed
from cafe.bookings.booking import Booking, BookingChange, Status
from cafe.bookings.messages import (
    AddTable,
    AskForTable,
    BookTable,
    CancelBooking,
    ChangeTable,
    CountBookings,
    Facts,
    FindBooking,
    FindFacts,
    FindTable,
    Found,
    ListTables,
    LoadBookings,
    MoveBooking,
    SearchTables,
)
from cafe.bookings.period import NO_LIMITS, Limits, next_period
from cafe.bookings.queries import Stored, find_bookings
from cafe.bookings.refusals import (
    MODEL_ERRORS,
    TooManyRequests,
    refusal_of,
    refusal_of_wish,
)
from cafe.bookings.table import DiningTable, TableChange
from cafe.bookings.tables import entry_of, entry_of_table
from cafe.bookings.tokens import BookingTokens
from cafe.http.refusals import CafeRefusal
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import Ledger
from cafe.limits.last_hour import LastHour

REQUESTS: Final = 20
"""The most requests of one address within an hour."""
LONGEST_SLEEP: Final = 60.0
SHORTEST_SLEEP: Final = 0.001
"""The bounds of a timer, in seconds: the time is checked again, since the ledger's clock may be set
without the timers' clock."""

UTC: Final = ZoneInfo("UTC")

Loaded = tuple[Journal, Stored]
Decide = Callable[[], list[BookingChange]]


class Rules(NamedTuple):
    """The limits of guests' requests."""

    limits: Limits
    requests: int = REQUESTS
    zone: ZoneInfo = UTC
    """The time zone in which a full hour begins."""


class Bookings(Actor):
    """Owns tables and bookings."""

    def __init__(
        self,
        rules: Rules,
        tokens: BookingTokens,
        ledger: Ledger,
        load: Callable[[], Awaitable[Loaded]],
        loaded: Loaded,
        *,
        monotonic: Callable[[], float] = trio.current_time,
    ) -> None:
        """Start from `loaded`, a result of `load`, which is called again after a refused row."""
        self._rules = rules
        self._tokens = tokens
        self._ledger = ledger
        self._load = load
        self._monotonic = monotonic
        self._asked = LastHour(rules.requests)
        self._timer: Timer | None = None
        self._timer_at: float | None = None
        self._begin(*loaded)

    def _begin(self, journal: Journal, stored: Stored) -> None:
        self._journal = journal
        self._book = Book(*stored)

    def on_start(self) -> None:
        """Expire the requests that came due while the shop was down."""
        self._pass_time()

    @LoadBookings.handler
    async def load(self, _message: LoadBookings) -> None:
        """Load the committed state again."""
        self._begin(*await self._load())
        self._pass_time()

    @CountBookings.handler
    def count(self, _message: CountBookings) -> int:
        """Count the bookings in memory."""
        return len(self._book.bookings)

    # Tables

    @AddTable.deferred
    def add_table(self, message: AddTable, reply: Reply[DiningTable]) -> None:
        """Add a table, unless it is there."""
        number = message.number or self._book.next_number()
        table = DiningTable(
            message.table_id,
            number,
            message.type,
            message.seats,
            message.price_cents,
            message.status,
        )
        self._change_table(reply, partial(self._book.add, table), message.table_id, message.by)

    @ChangeTable.deferred
    def change_table(self, message: ChangeTable, reply: Reply[DiningTable]) -> None:
        """Change a table, close or open it."""
        changing = partial(self._book.change, message.table_id, message.wish)
        self._change_table(reply, changing, message.table_id, message.by)

    @FindTable.deferred
    def find_table(self, message: FindTable, reply: Reply[DiningTable]) -> None:
        """Find a table by its number."""
        try:
            table = self._book.numbered(message.number)
        except MODEL_ERRORS as error:
            self._journal.refuse(reply, refusal_of(error))
        else:
            self._journal.reply(reply, table, looks=True)

    @ListTables.deferred
    def list_tables(self, message: ListTables, reply: Reply[tuple[DiningTable, ...]]) -> None:
        """List tables."""
        tables = tuple(self._book.behind(message.behind, message.most))
        self._journal.reply(reply, tables, looks=True)

    @SearchTables.deferred
    def search(self, message: SearchTables, reply: Reply[tuple[Listed, ...]]) -> None:
        """List the tables that fit and are free."""
        self._pass_time()
        found = self._book.search(message.wanted, message.period, message.behind, message.most)
        self._journal.reply(reply, tuple(found), looks=True)

    # Bookings

    @AskForTable.deferred
    def ask(self, message: AskForTable, reply: Reply[Found]) -> None:
        """Add a request, unless its address has reached the limit of the last hour."""
        now, monotonic = self._pass_time(), self._monotonic()
        booking = self._booking_of(message, Status.REQUESTED, now)
        known = self._book.repeated(booking)
        wait = self._asked.seconds_until_room(message.address, monotonic)
        if wait and known is None:
            self._journal.refuse(reply, TooManyRequests(self._rules.requests, wait))
            return
        booking_id = booking.booking_id if known is None else known.booking_id
        beginning = partial(self._book.begin, booking, now, self._rules.limits)
        if self._decide(reply, beginning, booking_id, refusal_of_wish):
            self._asked.add(message.address, monotonic)

    @BookTable.deferred
    def book(self, message: BookTable, reply: Reply[Found]) -> None:
        """Book a table directly."""
        now = self._pass_time()
        booking = self._booking_of(message, Status.ACCEPTED, now)
        beginning = partial(self._book.begin, booking, now, NO_LIMITS, message.by)
        self._decide(reply, beginning, message.booking_id, refusal_of_wish)

    @MoveBooking.deferred
    def move(self, message: MoveBooking, reply: Reply[Found]) -> None:
        """Accept, decline or cancel a booking for a manager."""
        now = self._pass_time()
        moving = partial(self._book.move, message.booking_id, message.step, now)
        self._decide(reply, moving, message.booking_id)

    @CancelBooking.deferred
    def cancel(self, message: CancelBooking, reply: Reply[Found]) -> None:
        """Cancel a booking for its guest."""
        now = self._pass_time()
        cancelling = partial(self._book.cancel_by_guest, message.booking_id, message.step, now)
        self._decide(reply, cancelling, message.booking_id)

    @FindBooking.deferred
    def find(self, message: FindBooking, reply: Reply[Found]) -> None:
        """Find a booking, and what overlaps it."""
        self._pass_time()
        try:
            booking = self._book.find(message.booking_id)
        except MODEL_ERRORS as error:
            self._journal.refuse(reply, refusal_of(error))
        else:
            found = self._found(booking, self._book.conflicts(booking))
            self._journal.reply(reply, found, looks=True)

    @FindFacts.handler
    async def find_facts(self, message: FindFacts) -> dict[str, Facts]:
        """Return the Facts of bookings; those that are over are read from the ledger."""
        known = [self._book.bookings[one] for one in message.booking_ids if self._has(one)]
        pairs = [(one, self._book.tables[one.table_id]) for one in known]
        over = [one for one in message.booking_ids if not self._has(one)]
        if over:
            pairs += await self._ledger.read(partial(find_bookings, booking_ids=over))
        return {booking.booking_id: self._facts(booking, table) for booking, table in pairs}

    # Steps of several turns

    def _booking_of(self, message: AskForTable | BookTable, status: Status, now: float) -> Booking:
        """Return the booking that a message asks for."""
        table = self._book.tables.get(message.table_id)
        number, seats = (0, 0) if table is None else (table.number, table.seats)
        rules = self._rules
        return Booking(
            message.booking_id,
            message.table_id,
            number,
            status,
            *(message.period or next_period(now, rules.limits, rules.zone)),
            seats if message.party is None else message.party,
            *message.guest,
            asked_at=now,
            changed_at=now,
            step_id=message.booking_id,
            account_id=message.account_id if isinstance(message, AskForTable) else None,
        )

    def _decide(
        self,
        reply: Reply[Found],
        decide: Decide,
        booking_id: str,
        refusal: Callable[[Exception], CafeRefusal] = refusal_of,
    ) -> bool:
        """Write what the book decides, and answer; return whether it changed anything."""
        try:
            changes = decide()
        except MODEL_ERRORS as error:
            self._journal.refuse(reply, refusal(error))
            return False
        booking = self._book.bookings[booking_id]
        declined = [one.booking for one in changes[1:]]
        if not changes:  # it is repeated
            declined = self._book.declined_with(booking)
        self._write(changes)
        self._journal.reply(reply, self._found(booking, declined), looks=not changes)
        return bool(changes)

    def _change_table(
        self,
        reply: Reply[DiningTable],
        change: Callable[[], list[TableChange]],
        table_id: str,
        by: str | None,
    ) -> None:
        now = self._pass_time()
        try:
            changes = change()
        except MODEL_ERRORS as error:
            self._journal.refuse(reply, refusal_of(error))
            return
        if changes:
            self._journal.write(*(entry_of_table(one, now, by) for one in changes))
        self._journal.reply(reply, self._book.tables[table_id], looks=not changes)

    def _pass_time(self) -> float:
        """Expire the requests that are due, set the timer for the next, and return the time."""
        now = self._ledger.now()
        self._write(self._book.pass_time(now))
        self._set_timer(now)
        return now

    def _write(self, changes: Sequence[BookingChange]) -> None:
        if changes:
            self._journal.write(*map(entry_of, changes))
            self._set_timer(self._ledger.now())

    def _set_timer(self, now: float) -> None:
        due = self._book.next_at
        if due == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, due
        if due is not None:
            seconds = min(max(due - now, SHORTEST_SLEEP), LONGEST_SLEEP)
            self._timer = self.after(seconds, self._wake)

    def _wake(self) -> None:
        self._timer, self._timer_at = None, None
        self._pass_time()

    def _has(self, booking_id: str) -> bool:
        return booking_id in self._book.bookings

    def _found(self, booking: Booking, others: Sequence[Booking]) -> Found:
        return Found(booking, self._book.tables[booking.table_id], tuple(others))

    def _facts(self, booking: Booking, table: DiningTable) -> Facts:
        return Facts(
            booking.booking_id,
            booking.email,
            booking.name,
            str(table),
            booking.party,
            *booking.period,
            self._tokens.token_of(booking.booking_id),
        )
