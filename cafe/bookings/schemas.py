"""The HTTP schemas of tables and bookings; pydantic is used only at the edge.

Rule: `fields.py` parses the members of requests; answers have the values of the models, and times
as `period.py` writes them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from cafe.bookings.book import Listed, Wish
from cafe.bookings.booking import Booking, Guest, Status
from cafe.bookings.fields import (
    A_TIME,
    MOST_NUMBER,
    Cents,
    EmailText,
    Name,
    Phone,
    Reason,
    Seats,
    Time,
    Type,
)
from cafe.bookings.messages import Found
from cafe.bookings.period import Period, local_text
from cafe.bookings.table import DiningTable, TableStatus, TableType
from cafe.http.app import example
from cafe.http.schema import Id, Schema, schema_example

TABLE: Final[dict[str, Any]] = {
    "table_id": "5f1d0c9ab2e4416f8a3c",
    "number": 4,
    "type": "cabin",
    "seats": 6,
    "price_cents": 1500,
}
MANAGED: Final[dict[str, Any]] = {**TABLE, "status": "open"}
ASKED: Final[dict[str, Any]] = {
    "table_id": TABLE["table_id"],
    "from": A_TIME,
    "to": "2026-06-01T21:00:00+02:00",
    "party": 4,
    "email": "ada@example.com",
    "phone": "+49 30 1234567",
    "name": "Ada",
}
BOOKING: Final[dict[str, Any]] = {
    "booking_id": "b0c4d2e6f8a1b3c5d7e9",
    "status": "requested",
    "table": TABLE,
    **ASKED,
    "reason": None,
    "requested_at": "2026-05-20T08:15:00Z",
}
TOKEN: Final = "vWmV0Zr9pD3m2o8JtY7qE1kXcN5hGb4s"  # noqa: S105 - an example
BRIEF: Final[dict[str, Any]] = {
    name: BOOKING[name] for name in ("booking_id", "status", "from", "to", "party", "name")
}


class TableIn(Schema):
    """A new table."""

    model_config = schema_example({name: TABLE[name] for name in TABLE if name != "table_id"})

    number: Annotated[int, Field(ge=1, le=MOST_NUMBER)] | None = Field(
        default=None, description="As guests know it; without it, one more than the last."
    )
    type: Type
    seats: Seats
    price_cents: Cents = Field(default=0, description="Of a booking; shown, and not charged.")


class TablePatch(Schema):
    """What is to change of a table; what is left out or null stays as it is."""

    model_config = schema_example({"seats": 8})

    type: Type | None = None
    seats: Seats | None = None
    price_cents: Cents | None = None

    def wish(self) -> Wish:
        """Return the patch as a Wish."""
        return Wish(self.type, self.seats, self.price_cents)


class DirectBookingIn(Schema):
    """A booking that a manager makes."""

    model_config = schema_example(ASKED)

    table_id: Id
    starts_at: Time = Field(alias="from")
    ends_at: Time = Field(alias="to", description="The table is free again from then on.")
    party: Seats
    email: EmailText | None = None
    phone: Phone | None = None
    name: Name | None = None

    @property
    def period(self) -> Period:
        """The wanted period."""
        return Period(self.starts_at, self.ends_at)

    @property
    def guest(self) -> Guest:
        """The guest's contact data."""
        return Guest(self.email, self.phone, self.name)


class BookingIn(DirectBookingIn):
    """A guest's request for a table; with an e-mail address, a telephone number, or both."""

    model_config = schema_example(ASKED)

    @model_validator(mode="after")
    def _can_be_reached(self) -> BookingIn:
        if self.email is None and self.phone is None:
            raise PydanticCustomError("contact", "Give an `email`, a `phone`, or both")
        return self


class DecisionIn(Schema):
    """Why a manager decides so; the guest is told."""

    model_config = schema_example({"reason": "We are closed for a wedding."})

    reason: Reason | None = None


class TableOut(BaseModel):
    """A table of the house."""

    model_config = example(TABLE)

    table_id: str
    number: int
    type: TableType
    seats: int
    price_cents: int


class ListedTableOut(TableOut):
    """A table that is free."""

    model_config = example({**TABLE, "requests": 2})

    requests: int = Field(description="Open requests of other guests for this time.")


class ListedTablesOut(BaseModel):
    """Tables that are free, by number."""

    model_config = example({"tables": [{**TABLE, "requests": 2}]})

    tables: list[ListedTableOut]


class ManagedTableOut(TableOut):
    """A table as managers see it."""

    model_config = example(MANAGED)

    status: TableStatus


class ManagedTablesOut(BaseModel):
    """All tables, by number."""

    model_config = example({"tables": [MANAGED]})

    tables: list[ManagedTableOut]


class BriefBookingOut(BaseModel):
    """Another booking of the same table."""

    model_config = example(BRIEF)

    booking_id: str
    status: Status
    starts_at: datetime = Field(alias="from")
    ends_at: datetime = Field(alias="to")
    party: int
    name: str | None


class BookingOut(BaseModel):
    """A booking; times are in the shop's time zone."""

    model_config = example(BOOKING)

    booking_id: str
    status: Status
    table_id: str
    table: TableOut
    starts_at: datetime = Field(alias="from")
    ends_at: datetime = Field(alias="to")
    party: int
    email: str | None
    phone: str | None
    name: str | None
    reason: str | None = Field(description="Why it was declined or cancelled.")
    requested_at: datetime


class RequestedBookingOut(BookingOut):
    """A request that was noted."""

    model_config = example({**BOOKING, "token": TOKEN})

    token: str = Field(description="Proves that its bearer may see and cancel the booking.")


class ConflictingBookingOut(BookingOut):
    """A booking with what else there is for its time."""

    model_config = example({**BOOKING, "conflicts": [BRIEF]})

    conflicts: list[BriefBookingOut] = Field(
        description="Accepted bookings and open requests of this table that overlap it."
    )


class DecidedBookingOut(BookingOut):
    """A booking after a decision."""

    model_config = example({**BOOKING, "status": "accepted", "declined": [BRIEF]})

    declined: list[BriefBookingOut] = Field(
        description="The requests that this has declined, since they overlap it."
    )


class BookingsOut(BaseModel):
    """Bookings, the earliest first."""

    model_config = example({"bookings": [BOOKING]})

    bookings: list[BookingOut]


def table_out(table: DiningTable) -> dict[str, Any]:
    """Return the JSON of a table for everyone, without its status."""
    shown = table._asdict()
    del shown["status"]
    return shown


def managed_table_out(table: DiningTable) -> dict[str, Any]:
    """Return the JSON of a table for a manager."""
    return table._asdict()


def listed_out(listed: Listed) -> dict[str, Any]:
    """Return the JSON of a table that is free."""
    return {**table_out(listed.table), "requests": listed.requests}


def booking_out(booking: Booking, table: DiningTable, zone: ZoneInfo) -> dict[str, Any]:
    """Return the JSON of a booking."""
    return {
        "booking_id": booking.booking_id,
        "status": booking.status,
        "table_id": booking.table_id,
        "table": table_out(table),
        "from": local_text(booking.starts_at, zone),
        "to": local_text(booking.ends_at, zone),
        "party": booking.party,
        "email": booking.email,
        "phone": booking.phone,
        "name": booking.name,
        "reason": booking.reason,
        "requested_at": datetime.fromtimestamp(booking.asked_at, UTC),
    }


def found_out(found: Found, zone: ZoneInfo, others: str) -> dict[str, Any]:
    """Return the JSON of a booking for a manager, with the other bookings as member `others`."""
    briefs = [booking_out(one, found.table, zone) for one in found.others]
    return {
        **booking_out(found.booking, found.table, zone),
        others: [{name: one[name] for name in BRIEF} for one in briefs],
    }
