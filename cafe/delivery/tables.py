"""The tables of delivery, and how values become rows.

Rule: its own tables only, and the conversion loses nothing. The fields of a Delivery are the
columns of its table, in the same order; those of a Courier as well, but for the districts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from cafe.delivery.courier import Courier, Duty, DutyAction, DutyChange
from cafe.delivery.coverage import District
from cafe.delivery.delivery import CARRIED, LIVE, Change, Delivery, Status
from cafe.delivery.districts import DistrictChange, status_of
from cafe.delivery.fleet import AnyChange
from cafe.ledger.department import Drop, Entry, Event, Put
from cafe.ledger.tables import CONSTANT, metadata, one_of
from cafe.names import key_of

IS_KEPT = f"{one_of('status', LIVE)} OR settled = false"
IS_CARRIED = one_of("status", CARRIED)
NOT_RETIRED = "duty <> 'retired'"

districts = Table(
    "districts",
    metadata,
    Column("district_id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("number", BigInteger, nullable=False, unique=True, info=CONSTANT),
    Column("retired", Boolean, nullable=False),
    # The key that equal names share: the database refuses a second district with it.
    Column("key", Text, nullable=False, unique=True),
)

couriers = Table(
    "couriers",
    metadata,
    Column("courier_id", String(64), primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True, info=CONSTANT),
    Column("name", Text, nullable=False),
    Column("account_id", String(64), info=CONSTANT),
    Column("duty", String(16), nullable=False),
    Column("free_since", Float(53), nullable=False),
    Column("completed", BigInteger, nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("days", BigInteger, nullable=False),
    Column("last_day", String(10)),
    CheckConstraint(one_of("duty", Duty), name="duty"),
)
# One courier an account, as long as they are not retired.
Index(
    "ix_couriers_account_id",
    couriers.c.account_id,
    unique=True,
    sqlite_where=text(NOT_RETIRED),
    postgresql_where=text(NOT_RETIRED),
)

served = Table(
    "courier_districts",
    metadata,
    Column("courier_id", String(64), ForeignKey("couriers.courier_id"), primary_key=True),
    Column("district_id", String(64), ForeignKey("districts.district_id"), primary_key=True),
    # Its place among those of the courier.
    Column("place", Integer, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("order_id", String(64), primary_key=True),
    Column("sequence", BigInteger, nullable=False, unique=True, info=CONSTANT),
    Column("district_id", String(64), nullable=False, info=CONSTANT),
    Column("district", Text, nullable=False, info=CONSTANT),
    Column("address", Text, info=CONSTANT),
    Column("name", Text, info=CONSTANT),
    Column("requested_at", Float(53), nullable=False, info=CONSTANT),
    Column("number", BigInteger),
    Column("account_id", String(64), info=CONSTANT),
    Column("status", String(16), nullable=False),
    Column("courier_id", String(64), ForeignKey("couriers.courier_id")),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("assigned_at", Float(53)),
    Column("picked_up_at", Float(53)),
    Column("ended_at", Float(53)),
    Column("lease_expires_at", Float(53)),
    Column("settled", Boolean, nullable=False),
    Column("command", String(64)),
    CheckConstraint(one_of("status", Status), name="status"),
)
# The database refuses a second delivery in the hand of a courier.
Index(
    "ix_deliveries_in_hand",
    deliveries.c.courier_id,
    unique=True,
    sqlite_where=text(IS_CARRIED),
    postgresql_where=text(IS_CARRIED),
)
# Partial: few deliveries have something left to do, very many have not.
Index(
    "ix_deliveries_kept",
    deliveries.c.sequence,
    sqlite_where=text(IS_KEPT),
    postgresql_where=text(IS_KEPT),
)
Index("ix_deliveries_status", deliveries.c.status, deliveries.c.sequence)
Index("ix_deliveries_ended_at", deliveries.c.ended_at)

followed = Table(
    "deliveries_followed",
    metadata,
    # One row: the events of orders up to this position are applied.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

_STATUS = Delivery._fields.index("status")
_DUTY = Courier._fields.index("duty")
_SERVED = Courier._fields.index("districts")


def row_of(delivery: Delivery) -> tuple[Any, ...]:
    """Return a delivery as plain values: drivers do not know enums."""
    return (*delivery[:_STATUS], delivery.status.value, *delivery[_STATUS + 1 :])


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Return the delivery that a row holds."""
    return Delivery._make((*row[:_STATUS], Status(row[_STATUS]), *row[_STATUS + 1 :]))


def row_of_courier(courier: Courier) -> tuple[Any, ...]:
    """Return a courier as plain values, without the districts."""
    return (*courier[:_DUTY], courier.duty.value, *courier[_DUTY + 1 : _SERVED])


def courier_of(row: Sequence[Any], of_districts: Iterable[str] = ()) -> Courier:
    """Return the courier that a row holds, who serves these districts."""
    duty, more = Duty(row[_DUTY]), row[_DUTY + 1 : _SERVED]
    return Courier._make((*row[:_DUTY], duty, *more, tuple(of_districts)))


def district_of(row: Sequence[Any]) -> District:
    """Return the district that a row holds."""
    return District._make(row[:4])


def data_of(delivery: Delivery) -> str | None:
    """Return the data of each event of a basket's delivery for followers, as JSON.

    None if staff published it: no customer waits for it.
    """
    if delivery.account_id is None:
        return None
    return json.dumps(
        {
            "number": delivery.number,
            "account_id": delivery.account_id,
            "attempts": delivery.attempts,
        }
    )


def entry_of(change: AnyChange | DistrictChange) -> Entry:
    """Return a change as an entry of the ledger."""
    if isinstance(change, Change):
        return _entry_of_delivery(change)
    if isinstance(change, DutyChange):
        return _entry_of_courier(change)
    if isinstance(change, DistrictChange):
        return _entry_of_district(change)
    return Entry(None, (Put(couriers, row_of_courier(change.courier)),))


def _entry_of_delivery(change: Change) -> Entry:
    action, before, delivery, at, by, reason = change
    event = Event(
        delivery.order_id,
        action.value,
        None if before is None else before.value,
        delivery.status.value,
        at,
        by,
        reason,
        data_of(delivery),
    )
    return Entry(event, (Put(deliveries, row_of(delivery)),))


def _entry_of_courier(change: DutyChange) -> Entry:
    action, before, courier, at, by, reason, gone = change
    event = Event(
        courier.courier_id,
        action.value,
        None if before is None else before.value,
        courier.duty.value,
        at,
        by,
        reason,
    )
    stored = Put(couriers, row_of_courier(courier))
    if action not in {DutyAction.ADD, DutyAction.EDIT}:
        return Entry(event, (stored,))
    serves = (
        Put(served, (courier.courier_id, district_id, place))
        for place, district_id in enumerate(courier.districts)
    )
    drops = (Drop(served, (courier.courier_id, district_id)) for district_id in gone)
    return Entry(event, (stored, *drops, *serves))


def _entry_of_district(change: DistrictChange) -> Entry:
    action, before, district, at, by = change
    event = Event(
        district.district_id,
        action.value,
        None if before is None else before.value,
        status_of(district).value,
        at,
        by,
    )
    return Entry(event, (Put(districts, (*district, key_of(district.name))),))


def entry_of_row(delivery: Delivery) -> Entry:
    """Return the entry that stores a delivery without an event."""
    return Entry(None, (Put(deliveries, row_of(delivery)),))


def entry_of_position(position: int) -> Entry:
    """Return the position up to which orders were followed, as an entry of the ledger."""
    return Entry(None, (Put(followed, (1, position)),))
