"""The messages of the Bookings actor, and their answers.

Rule: frozen values only. A command can be retried after a crash, and takes effect once: it carries
the wanted state, or an id made by its sender.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from actors import Message
from cafe.bookings.book import Listed, Wish
from cafe.bookings.booking import Booking, Guest, Step
from cafe.bookings.period import Period
from cafe.bookings.table import DiningTable, TableFilter, TableStatus, TableType

if TYPE_CHECKING:
    from cafe.bookings.bookings import Bookings as Bookings  # noqa: PLC0414 - exported


class Facts(NamedTuple):
    """The contents of a letter about a booking; none change while the booking is open."""

    booking_id: str
    email: str | None
    """None for a guest who gave a telephone number only."""
    name: str | None
    table: str
    """In words: its type and seats."""
    party: int
    starts_at: float
    ends_at: float
    token: str
    """Proves that its bearer may see and cancel the booking; it is in the letters' link."""


class Found(NamedTuple):
    """A booking with its table."""

    booking: Booking
    table: DiningTable
    others: tuple[Booking, ...] = ()
    """After a decision, the requests that it declined. Else, the accepted bookings and open
    requests that overlap it."""


@dataclass(frozen=True, slots=True)
class FindFacts(Message["Bookings", dict[str, Facts]]):
    """Look up the Facts of some bookings; unknown ones are left out."""

    booking_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddTable(Message["Bookings", DiningTable]):
    """Add a table; the same id is the same table."""

    table_id: str
    number: int | None
    """None for one more than the last."""
    type: TableType
    seats: int
    price_cents: int
    by: str | None = None
    """The manager's name."""
    status: TableStatus = TableStatus.OPEN


@dataclass(frozen=True, slots=True)
class FindTable(Message["Bookings", DiningTable]):
    """Find the table with a number."""

    number: int


@dataclass(frozen=True, slots=True)
class ChangeTable(Message["Bookings", DiningTable]):
    """Change a table, close it for booking, or open it again."""

    table_id: str
    wish: Wish
    by: str | None = None


@dataclass(frozen=True, slots=True)
class ListTables(Message["Bookings", tuple[DiningTable, ...]]):
    """List the tables after a number, at most `most`."""

    behind: int
    most: int


@dataclass(frozen=True, slots=True)
class SearchTables(Message["Bookings", tuple[Listed, ...]]):
    """List the open tables after a number that fit, and are free then, with their requests."""

    wanted: TableFilter
    period: Period | None
    behind: int
    most: int


@dataclass(frozen=True, slots=True)
class AskForTable(Message["Bookings", Found]):
    """Request a table for a guest; the same id is the same request.

    So is the same table and time for the same account, as long as it holds the booking.
    """

    booking_id: str
    table_id: str
    period: Period | None
    """None for the usual length, from the next full hour that may be booked."""
    party: int | None
    """None for as many as the table has seats."""
    guest: Guest
    address: str
    """The client's address, which may make a limited number of requests an hour."""
    account_id: str | None = None
    """The account of a customer who is signed in."""


@dataclass(frozen=True, slots=True)
class BookTable(Message["Bookings", Found]):
    """Book a table directly, which declines the requests that overlap; the same id is the same."""

    booking_id: str
    table_id: str
    period: Period
    party: int
    guest: Guest
    by: str | None = None
    """The manager's name."""


@dataclass(frozen=True, slots=True)
class MoveBooking(Message["Bookings", Found]):
    """Accept, decline or cancel a booking, as a manager; the same step's id is the same step."""

    booking_id: str
    step: Step


@dataclass(frozen=True, slots=True)
class CancelBooking(Message["Bookings", Found]):
    """Cancel a booking, as its guest; the same step's id is the same step."""

    booking_id: str
    step: Step


@dataclass(frozen=True, slots=True)
class FindBooking(Message["Bookings", Found]):
    """Find a booking with what overlaps it; refused with ForgottenBooking if not in memory."""

    booking_id: str


@dataclass(frozen=True, slots=True)
class CountBookings(Message["Bookings", int]):
    """Count the bookings in memory: answered at once, also while the database is away."""


@dataclass(frozen=True, slots=True)
class LoadBookings(Message["Bookings", None]):
    """Load the committed tables and bookings again: the database has refused a row."""
