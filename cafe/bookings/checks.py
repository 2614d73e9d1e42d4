"""The invariants of bookings, as queries that return the rows that violate them.

Rule: each invariant is one sentence and one query, independent of the others. The ledger checks
what holds for the events of every department.
"""

from __future__ import annotations

from sqlalchemy import Executable, and_, select, union_all

from cafe.bookings.booking import HELD
from cafe.bookings.tables import bookings, dining_tables
from cafe.ledger.invariants import not_as_its_events_say
from cafe.ledger.tables import events

_one = bookings.c


def _not_as_their_events_say() -> Executable:
    rows = union_all(
        select(dining_tables.c.table_id.label("id"), dining_tables.c.status),
        select(_one.booking_id, _one.status),
    ).subquery()
    return not_as_its_events_say("bookings", rows, rows.c.id, rows.c.status)


def _overlapping(status: str) -> Executable:
    accepted = select(bookings).where(_one.status == "accepted").subquery()
    others = select(bookings).where(_one.status == status).subquery()
    overlap = and_(
        others.c.table_id == accepted.c.table_id,
        others.c.booking_id != accepted.c.booking_id,
        others.c.starts_at < accepted.c.ends_at,
        others.c.ends_at > accepted.c.starts_at,
    )
    return select(
        others.c.booking_id.label("subject"), accepted.c.booking_id.label("accepted")
    ).join_from(others, accepted, overlap)


def _of_no_table() -> Executable:
    both = bookings.outerjoin(dining_tables, dining_tables.c.table_id == _one.table_id)
    return (
        select(
            _one.booking_id.label("subject"),
            _one.table_number,
            dining_tables.c.number.label("number of its table"),
        )
        .select_from(both)
        .where(dining_tables.c.number.is_distinct_from(_one.table_number))
    )


_now = (
    select(events.c.at)
    .where(events.c.department == "bookings")
    .order_by(events.c.position.desc())
    .limit(1)
    .scalar_subquery()
)
"""The time of the last event of bookings: what was due until then has been done."""


def _open_for_too_long() -> Executable:
    columns = (_one.booking_id.label("subject"), _one.starts_at, _now.label("last_at"))
    return select(*columns).where(_one.status == "requested", _one.starts_at < _now)


def _at_the_wrong_time() -> Executable:
    has_begun = events.c.at >= _one.starts_at
    columns = (events.c.subject, events.c.action, events.c.at, _one.starts_at)
    return (
        select(*columns, events.c.position)
        .join(bookings, _one.booking_id == events.c.subject)
        .where(
            events.c.department == "bookings",
            events.c.before == "requested",
            has_begun != (events.c.action == "expire"),
        )
    )


def _too_large() -> Executable:
    columns = (_one.booking_id.label("subject"), _one.party, dining_tables.c.seats)
    return (
        select(*columns)
        .join(dining_tables, dining_tables.c.table_id == _one.table_id)
        .where(_one.status == "accepted", _one.ends_at > _now, _one.party > dining_tables.c.seats)
    )


def _held_twice() -> Executable:
    others = bookings.alias("others").c
    same = and_(
        others.account_id == _one.account_id,
        others.table_id == _one.table_id,
        others.starts_at == _one.starts_at,
        others.ends_at == _one.ends_at,
        others.booking_id != _one.booking_id,
        others.status.in_(sorted(HELD)),
        _one.status.in_(sorted(HELD)),
    )
    columns = (_one.booking_id.label("subject"), others.booking_id.label("other"))
    return select(*columns).where(same)


CHECKS: dict[str, Executable] = {
    "every table and every booking stands where its last event left it": (
        _not_as_their_events_say()
    ),
    "no two accepted bookings of a table overlap": _overlapping("accepted"),
    "no request is open for a time that is taken": _overlapping("requested"),
    "no request is open when its time has come": _open_for_too_long(),
    "a request expires when its time has come, and is decided only before": _at_the_wrong_time(),
    "no accepted party that is still to come has more guests than its table has seats": (
        _too_large()
    ),
    "every booking has the number of its table": _of_no_table(),
    "no account has two open bookings of a table for the same time": _held_twice(),
}
