"""The tables of bookings, and how values become rows.

Rule: the fields of a DiningTable and of a Booking are the columns of their tables, in the same
order. The database, too, refuses two accepted bookings of a table that overlap: by an exclusion
constraint on PostgreSQL, by a trigger on SQLite, which has no such constraint.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    event,
    text,
)

from cafe.bookings.booking import Booking, BookingChange, Status
from cafe.bookings.period import utc_text
from cafe.bookings.table import DiningTable, TableChange, TableStatus, TableType
from cafe.ledger.department import Entry, Event, Put
from cafe.ledger.tables import CONSTANT, metadata, one_of

ACCEPTED: Final = text("status = 'accepted'")

dining_tables = Table(
    "dining_tables",
    metadata,
    Column("table_id", String(64), primary_key=True),
    Column("number", Integer, nullable=False, unique=True, info=CONSTANT),
    Column("type", String(16), nullable=False),
    Column("seats", Integer, nullable=False),
    Column("price_cents", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    CheckConstraint("seats > 0", name="seats"),
    CheckConstraint("price_cents >= 0", name="price_cents"),
)
bookings = Table(
    "bookings",
    metadata,
    Column("booking_id", String(64), primary_key=True),
    Column(
        "table_id",
        String(64),
        ForeignKey("dining_tables.table_id"),
        nullable=False,
        info=CONSTANT,
    ),
    # A copy for the exclusion constraint, which compares texts only with an extension.
    Column("table_number", Integer, nullable=False, info=CONSTANT),
    Column("status", String(16), nullable=False),
    Column("starts_at", Float(53), nullable=False, info=CONSTANT),
    Column("ends_at", Float(53), nullable=False, info=CONSTANT),
    Column("party", Integer, nullable=False, info=CONSTANT),
    Column("email", Text, info=CONSTANT),
    Column("phone", Text, info=CONSTANT),
    Column("name", Text, info=CONSTANT),
    Column("asked_at", Float(53), nullable=False, info=CONSTANT),
    Column("changed_at", Float(53), nullable=False),
    Column("reason", Text),
    Column("step_id", String(64)),
    Column("account_id", String(64), info=CONSTANT),
    CheckConstraint("starts_at < ends_at", name="period"),
    CheckConstraint(one_of("status", Status), name="status"),
)
# For loading and pruning; for a manager's list of any status; for one of a single status.
Index("ix_bookings_ends_at", bookings.c.ends_at)
Index("ix_bookings_starts_at", bookings.c.starts_at, bookings.c.booking_id)
Index("ix_bookings_status", bookings.c.status, bookings.c.starts_at, bookings.c.booking_id)
# For the trigger.
Index(
    "ix_bookings_accepted",
    bookings.c.table_id,
    bookings.c.ends_at,
    sqlite_where=ACCEPTED,
    postgresql_where=ACCEPTED,
)
# A range of one number for "the same table", since btree_gist is an extension. In microseconds,
# which are exact, as there is no range of floating-point numbers.
_EXCLUDE: Final = """
ALTER TABLE bookings ADD CONSTRAINT ex_bookings_accepted EXCLUDE USING gist (
    int4range(table_number, table_number, '[]') WITH &&,
    int8range((starts_at * 1000000)::bigint, (ends_at * 1000000)::bigint) WITH &&
) WHERE (status = 'accepted')
"""
_TRIGGER: Final = """
CREATE TRIGGER tr_bookings_accepted_{name} AFTER {event} ON bookings
WHEN NEW.status = 'accepted' AND EXISTS (
    SELECT 1 FROM bookings AS other
    WHERE other.table_id = NEW.table_id AND other.status = 'accepted'
    AND other.ends_at > NEW.starts_at AND other.starts_at < NEW.ends_at
    AND other.booking_id <> NEW.booking_id
)
BEGIN SELECT RAISE(ABORT, 'two accepted bookings of a table overlap'); END
"""


def _make_with_bookings(dialect: str, statement: str) -> None:
    """Run a statement on databases of this dialect when the table of bookings is created."""
    ddl: Any = DDL(statement)  # type: ignore[no-untyped-call] # SQLAlchemy's has no annotations
    event.listen(bookings, "after_create", ddl.execute_if(dialect=dialect))


_make_with_bookings("postgresql", _EXCLUDE)
for _event in ("insert", "update"):
    _make_with_bookings("sqlite", _TRIGGER.format(name=_event, event=_event.upper()))

secret = Table(
    "booking_secret",
    metadata,
    # One row, made when the ledger is first opened: the tokens of bookings are computed from it.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("secret", LargeBinary, nullable=False),
)

_TYPE: Final = DiningTable._fields.index("type")
_STATUS: Final = Booking._fields.index("status")


def table_of(row: Sequence[Any]) -> DiningTable:
    """Return the table that a row holds."""
    table = DiningTable._make(row)
    return table._replace(type=TableType(table.type), status=TableStatus(table.status))


def booking_of(row: Sequence[Any]) -> Booking:
    """Return the booking that a row holds."""
    return Booking._make((*row[:_STATUS], Status(row[_STATUS]), *row[_STATUS + 1 :]))


def entry_of_table(change: TableChange, at: float, by: str | None) -> Entry:
    """Return a change of a table as an entry of the ledger; its subject is the table."""
    action, before, table = change
    was = None if before is None else before.value
    row = (*table[:_TYPE], table.type.value, *table[_TYPE + 1 : -1], table.status.value)
    changed = Event(table.table_id, action.value, was, table.status.value, at, by)
    return Entry(changed, (Put(dining_tables, row),))


def entry_of(change: BookingChange) -> Entry:
    """Return a change of a booking as an entry of the ledger; its subject is the booking.

    The event has no data of the guest: rows are deleted after a while, but copies of the log may
    exist elsewhere by then.
    """
    action, before, booking, by = change
    data = {
        "table_id": booking.table_id,
        "from": utc_text(booking.starts_at),
        "to": utc_text(booking.ends_at),
        "party": booking.party,
    }
    changed = Event(
        booking.booking_id,
        action.value,
        None if before is None else before.value,
        booking.status.value,
        booking.changed_at,
        by,
        booking.reason,
        json.dumps(data),
    )
    row = (*booking[:_STATUS], booking.status.value, *booking[_STATUS + 1 :])
    return Entry(changed, (Put(bookings, row),))
