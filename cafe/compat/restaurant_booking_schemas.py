"""The HTTP schemas of restaurant-booking.

Rule: that system's `id` of a table is our number of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from cafe.accounts.schemas import PASSWORD, USER, AnyPassword
from cafe.bookings.book import Wish
from cafe.bookings.booking import Booking, Status
from cafe.bookings.fields import A_TIME, MOST_SEATS, Seats, Type
from cafe.bookings.period import local_text
from cafe.bookings.table import DiningTable, TableFilter, TableStatus, TableType
from cafe.compat.fields import TablePrice, either, price_of
from cafe.http.app import example
from cafe.http.email_address import MAX_EMAIL
from cafe.http.schema import MOST_INTEGER, Schema, Text, schema_example

BOOKING_ID: Final = "b0c4d2e6f8a1b3c5d7e9"
TABLE: Final[dict[str, Any]] = {"id": 4, "table_type": "cabin", "seats": 6, "price": 15.0}
MANAGED: Final[dict[str, Any]] = {**TABLE, "can_be_booked": True}
ACTIVE: Final[dict[str, Any]] = {
    "id": BOOKING_ID,
    "table": 4,
    "status": "requested",
    "from": A_TIME,
    "to": "2026-06-01T21:00:00+02:00",
    "party": 4,
    "email": "ada@example.com",
    "phone": None,
    "name": "Ada",
}
Bound = Annotated[int, Field(ge=0, le=MOST_SEATS)]


class SignInIn(Schema):
    """Who signs in."""

    model_config = schema_example({"username": USER["email"], "password": PASSWORD})

    username: Annotated[
        Text, Field(min_length=1, max_length=MAX_EMAIL, description="The e-mail address.")
    ]
    password: Annotated[AnyPassword, Field(min_length=1)]


class TableIn(Schema):
    """A table; what is left out or null is usual for a new one, and stays as it is for another."""

    model_config = schema_example({name: MANAGED[name] for name in MANAGED if name != "id"})

    table_type: Type | None = None
    seats: Seats | None = None
    price: TablePrice | None = None
    can_be_booked: bool | None = None

    @property
    def wish(self) -> Wish:
        """The wanted changes of a table."""
        status = None
        if self.can_be_booked is not None:
            status = TableStatus.OPEN if self.can_be_booked else TableStatus.CLOSED
        return Wish(self.table_type, self.seats, self.price, status)


class TablePatch(TableIn):
    """Which table is to be changed, and how."""

    model_config = schema_example({"id": 4, "seats": 8})

    id: Annotated[int, Field(ge=1, le=MOST_INTEGER)]


class FilterIn(Schema):
    """Which tables are wanted."""

    model_config = schema_example({"table_type": "cabin", "seats_min": 4, "price_max": 20})

    table_type: Type | None = None
    seats_min: Bound | None = None
    seats_max: Bound | None = None
    price_min: TablePrice | None = None
    price_max: TablePrice | None = None

    def joined(self, query: FilterIn) -> FilterIn:
        """Return the filter of a body and a query together; raises Unclear if they differ."""
        given = {
            name: either(name, *both)
            for name in FilterIn.model_fields
            if (both := (getattr(self, name), getattr(query, name))) != (None, None)
        }
        return FilterIn.model_construct(**given)

    @property
    def wanted(self) -> TableFilter:
        """The filter of our search."""
        given = self.model_dump(exclude_none=True)
        if self.table_type is not None:
            given["type"] = given.pop("table_type")
        return TableFilter(**given)

    @property
    def query(self) -> dict[str, Any]:
        """The filter as a query, for the link to the next page."""
        given = self.model_dump(exclude_none=True)
        prices = ("price_min", "price_max")
        return given | {name: price_of(given[name]) for name in prices if name in given}


class TokensOut(BaseModel):
    """What a client sends with its requests, and what it gets the next of these with."""

    model_config = example(
        {
            "access": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
            "refresh": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
        }
    )

    access: str
    refresh: str


class TableOut(BaseModel):
    """A table that can be booked."""

    model_config = example(TABLE)

    id: int
    table_type: TableType
    seats: int
    price: float


class ManagedTableOut(TableOut):
    """A table as managers see it."""

    model_config = example(MANAGED)

    can_be_booked: bool


class ChangedOut(BaseModel):
    """A table that was added or changed."""

    model_config = example({"detail": "Table 4 was added.", "data": MANAGED})

    detail: str
    data: ManagedTableOut


class DoneOut(BaseModel):
    """What was done, in words."""

    model_config = example({"detail": "The booking of table 4 is accepted."})

    detail: str


class BookedOut(DoneOut):
    """A booking that was requested."""

    model_config = example({"detail": "The booking of table 4 is requested.", "id": BOOKING_ID})

    id: str


class ActiveOut(BaseModel):
    """A booking that is requested or accepted, and not over; times are in the shop's time zone."""

    model_config = example(ACTIVE)

    id: str
    table: int = Field(description="Its `id` here.")
    status: Status
    starts_at: datetime = Field(alias="from")
    ends_at: datetime = Field(alias="to")
    party: int
    email: str | None
    phone: str | None
    name: str | None


def table_out(table: DiningTable) -> dict[str, Any]:
    """Return the JSON of a table."""
    return {
        "id": table.number,
        "table_type": table.type,
        "seats": table.seats,
        "price": price_of(table.price_cents),
    }


def changed_out(table: DiningTable, what: str) -> dict[str, Any]:
    """Return the JSON of a table that a manager has added or changed."""
    data = {**table_out(table), "can_be_booked": table.status is TableStatus.OPEN}
    return {"detail": f"Table {table.number} was {what}.", "data": data}


def done_out(booking: Booking) -> dict[str, Any]:
    """Return the JSON of a booking's status, in words."""
    return {"detail": f"The booking of table {booking.table_number} is {booking.status}."}


def active_out(booking: Booking, zone: ZoneInfo) -> dict[str, Any]:
    """Return the JSON of a booking for a manager."""
    return {
        "id": booking.booking_id,
        "table": booking.table_number,
        "status": booking.status,
        "from": local_text(booking.starts_at, zone),
        "to": local_text(booking.ends_at, zone),
        "party": booking.party,
        "email": booking.email,
        "phone": booking.phone,
        "name": booking.name,
    }
