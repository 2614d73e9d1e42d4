"""The queries of bookings: for the start, for a page, and for bookings that are over.

Rule: queries only, each by an index; the models decide what a row means.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Executable, Select, delete, insert, or_, select, tuple_

from cafe.bookings.booking import Booking, Status
from cafe.bookings.table import DiningTable
from cafe.bookings.tables import booking_of, bookings, dining_tables, secret, table_of
from cafe.bookings.tokens import SECRET_BYTES

_one = bookings.c
_WIDTH: Final = len(bookings.c)
_both: Final = select(*bookings.c, *dining_tables.c).join_from(bookings, dining_tables)
Pair = tuple[Booking, DiningTable]


class Stored(NamedTuple):
    """The state from which the Bookings actor starts."""

    tables: tuple[DiningTable, ...] = ()
    bookings: tuple[Booking, ...] = ()
    """Bookings that are not over, and all open requests."""


def load(connection: Connection, now: float) -> Stored:
    """Return all tables, and the bookings that are not over or still to expire."""
    live = or_(_one.ends_at > now, _one.status == Status.REQUESTED.value)
    return Stored(
        tuple(table_of(row) for row in connection.execute(select(dining_tables))),
        tuple(booking_of(row) for row in connection.execute(select(bookings).where(live))),
    )


def load_secret(connection: Connection) -> bytes:
    """Return the secret of the tokens; the first time, also create it."""
    found = connection.execute(select(secret.c.secret)).scalar()
    if found is None:
        found = secrets.token_bytes(SECRET_BYTES)
        connection.execute(insert(secret).values(id=1, secret=found))
    return bytes(found)


def find_bookings(connection: Connection, booking_ids: Collection[str]) -> list[Pair]:
    """Return some bookings with their tables; unknown ones are left out."""
    query = _both.where(_one.booking_id.in_(booking_ids))
    return [_pair(row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A manager's filter for a page of bookings."""

    statuses: tuple[Status, ...] = ()
    """Only bookings of these statuses; empty for any."""
    starts_at: float | None = None
    """Only those that end after this."""
    ends_at: float | None = None
    """Only those that begin before this."""
    behind: tuple[float, str] | None = None
    """The page begins after the booking with this beginning and id."""
    most: int = 100


class Page(NamedTuple):
    """Some bookings, the earliest first."""

    bookings: list[Pair]
    goes_on: bool


def read_page(connection: Connection, wanted: Wanted) -> Page:
    """Return a page of bookings."""
    query = _both.order_by(_one.starts_at, _one.booking_id).limit(wanted.most + 1)
    if wanted.statuses:
        query = query.where(_one.status.in_([one.value for one in wanted.statuses]))
    if wanted.starts_at is not None:
        query = query.where(_one.ends_at > wanted.starts_at)
    if wanted.ends_at is not None:
        query = query.where(_one.starts_at < wanted.ends_at)
    if wanted.behind is not None:
        query = query.where(tuple_(_one.starts_at, _one.booking_id) > tuple_(*wanted.behind))
    found = [_pair(row) for row in connection.execute(query)]
    return Page(found[: wanted.most], len(found) > wanted.most)


def _pair(row: Sequence[Any]) -> Pair:
    return booking_of(row[:_WIDTH]), table_of(row[_WIDTH:])


def ended(before: float) -> Select[Any]:
    """Select the bookings that were over before a time."""
    return select(_one.booking_id).where(
        _one.ends_at < before, _one.status != Status.REQUESTED.value
    )


def prune(booking_ids: Sequence[str]) -> Executable:
    """Return the statement that deletes bookings."""
    return delete(bookings).where(_one.booking_id.in_(booking_ids))
