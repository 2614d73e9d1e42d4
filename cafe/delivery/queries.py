"""The queries of delivery: for the start, and for requests.

Rule: queries only, each by an index; `delivery.py` and `courier.py` decide what a row means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select, text

from cafe.delivery.courier import Courier
from cafe.delivery.coverage import District
from cafe.delivery.delivery import Delivery, Status
from cafe.delivery.tables import (
    IS_CARRIED,
    IS_KEPT,
    NOT_RETIRED,
    courier_of,
    couriers,
    deliveries,
    delivery_of,
    district_of,
    districts,
    followed,
    served,
)
from cafe.ledger.parts import in_parts


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state from which the Couriers actor starts."""

    districts: tuple[District, ...] = ()
    couriers: tuple[Courier, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    """Deliveries with something left to do."""
    last_sequence: int = 0
    position: int = 0
    """The position in the log up to which the orders' events are applied."""


class AtWork(NamedTuple):
    """A courier, and what they carry."""

    courier: Courier
    carries: Delivery | None


# As text: the database uses a partial index only where it can see the values.
_kept = select(*deliveries.c).where(text(IS_KEPT)).order_by(deliveries.c.sequence)
_carried = select(*deliveries.c).where(text(IS_CARRIED))
_last_sequence = select(func.coalesce(func.max(deliveries.c.sequence), 0))


def load_delivery(connection: Connection) -> Snapshot:
    """Return the actor's first state; the time does not grow with the deliveries that ended."""
    return Snapshot(
        districts=tuple(list_districts(connection, 0, None)),
        couriers=tuple(_couriers_of(connection, select(*couriers.c).order_by(couriers.c.number))),
        deliveries=tuple(delivery_of(row) for row in connection.execute(_kept)),
        last_sequence=connection.execute(_last_sequence).scalar_one(),
        position=load_position(connection),
    )


def load_position(connection: Connection) -> int:
    """Return the position up to which the orders' events are applied."""
    return connection.execute(select(followed.c.position)).scalar() or 0


def find_delivery(connection: Connection, order_id: str) -> Delivery | None:
    """Return a delivery as it is committed."""
    if not order_id.isprintable():
        return None  # no database could store it; an id in a URL may be any text
    query = select(*deliveries.c).where(deliveries.c.order_id == order_id)
    row = connection.execute(query).first()
    return None if row is None else delivery_of(row)


def list_deliveries(
    connection: Connection, status: Status | None, behind: int | None, most: int
) -> list[Delivery]:
    """Return deliveries, the newest first; `behind`: older than this place in the queue."""
    query = select(*deliveries.c).order_by(deliveries.c.sequence.desc()).limit(most)
    if status is not None:
        query = query.where(deliveries.c.status == status.value)
    if behind is not None:
        query = query.where(deliveries.c.sequence < behind)
    return [delivery_of(row) for row in connection.execute(query)]


def list_districts(
    connection: Connection, behind: int, most: int | None, *, retired: bool = True
) -> list[District]:
    """Return districts in the order of their numbers; without retired ones if not `retired`."""
    query = select(districts).where(districts.c.number > behind)
    if not retired:
        query = query.where(districts.c.retired.is_(False))
    rows = connection.execute(query.order_by(districts.c.number).limit(most))
    return [district_of(row) for row in rows]


def districts_of(connection: Connection, courier: Courier) -> list[District]:
    """Return the districts that a courier serves, in the courier's order."""
    query = select(districts).where(districts.c.district_id.in_(courier.districts))
    found = {one.district_id: one for one in map(district_of, connection.execute(query))}
    return [found[one] for one in courier.districts]


def find_courier(connection: Connection, courier_id: str) -> AtWork | None:
    """Return a courier as committed."""
    if not courier_id.isprintable():
        return None
    return _first(connection, select(*couriers.c).where(couriers.c.courier_id == courier_id))


def find_by_account(connection: Connection, account_id: str) -> AtWork | None:
    """Return the courier who has an account and is not retired, as committed."""
    ours = couriers.c.account_id == account_id
    return _first(connection, select(*couriers.c).where(ours, text(NOT_RETIRED)))


def list_couriers(
    connection: Connection, behind: int, most: int, *, retired: bool = True
) -> list[AtWork]:
    """Return couriers in the order of their numbers; without retired ones if not `retired`."""
    query = select(*couriers.c).where(couriers.c.number > behind)
    if not retired:
        query = query.where(text(NOT_RETIRED))
    return _at_work(connection, query.order_by(couriers.c.number).limit(most))


def _first(connection: Connection, query: Select[Any]) -> AtWork | None:
    return next(iter(_at_work(connection, query)), None)


def _at_work(connection: Connection, query: Select[Any]) -> list[AtWork]:
    found = _couriers_of(connection, query)
    ids = [one.courier_id for one in found]
    rows = connection.execute(_carried.where(deliveries.c.courier_id.in_(ids))) if ids else ()
    carried = {one.courier_id: one for one in map(delivery_of, rows)}
    return [AtWork(one, carried.get(one.courier_id)) for one in found]


def _couriers_of(connection: Connection, query: Select[Any]) -> list[Courier]:
    rows: Sequence[Any] = connection.execute(query).all()
    of_courier = _districts_of(connection, [row[0] for row in rows])
    return [courier_of(row, of_courier.get(row[0], ())) for row in rows]


AT_ONCE = 500
"""The most couriers whose districts one statement reads: databases limit its parameters."""


def _districts_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for some in in_parts(ids, AT_ONCE):
        query = select(served.c.courier_id, served.c.district_id).where(
            served.c.courier_id.in_(some)
        )
        for courier_id, district_id in connection.execute(query.order_by(served.c.place)):
            found[courier_id].append(district_id)
    return found
