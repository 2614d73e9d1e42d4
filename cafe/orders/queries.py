"""The queries on the tables of orders: at the start, for one request, for a report.

Rule: queries only; the meaning of a row is defined in `order.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Any, NamedTuple

from sqlalchemy import Connection, Executable, bindparam, delete, func, select

from cafe.ledger.department import Event, Logged
from cafe.ledger.parts import in_parts
from cafe.ledger.tables import events
from cafe.orders.order import (
    LIVE,
    NO_ADDRESS,
    Order,
    Status,
)
from cafe.orders.pause import NEVER_PAUSED, Pausing
from cafe.orders.pause_table import load_pausing
from cafe.orders.placed import PlacedQuery
from cafe.orders.queue import MOST_RECENT
from cafe.orders.tables import destinations, keys, lines, order_of, orders

LAST_BREWED = 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state that the Dispatcher starts from."""

    live: tuple[Order, ...] = ()
    """Orders that wait or are in preparation, by number."""
    recent: tuple[Order, ...] = ()
    """The orders that ended last, the newest at the end."""
    last_number: int = 0
    brewing_seconds: tuple[float, ...] = ()
    """Brewing times of the last coffees, oldest first."""
    pausing: Pausing = NEVER_PAUSED
    """The managers' last command about new orders."""


# As literals: the database uses the partial index only where it can see the values.
_live = (
    select(*orders.c)
    .where(orders.c.status.in_(bindparam("live", LIVE, expanding=True, literal_execute=True)))
    .order_by(orders.c.number)
)
_recent = (
    select(*orders.c)
    .where(orders.c.ended_at.is_not(None))
    .order_by(orders.c.ended_at.desc(), orders.c.number.desc())
    .limit(MOST_RECENT)
)
_last_number = select(func.coalesce(func.max(orders.c.number), 0))
_find = select(*orders.c).where(orders.c.order_id == bindparam("order_id"))
_find_by_key = (
    select(*orders.c)
    .join(keys, keys.c.order_id == orders.c.order_id)
    .where(
        keys.c.address == bindparam("scope"),
        keys.c.key == bindparam("key"),
        keys.c.placed_at >= bindparam("since"),
    )
)


_find_some = select(*orders.c).where(orders.c.order_id.in_(bindparam("some", expanding=True)))
_find_lines = (
    select(*lines.c)
    .where(lines.c.order_id.in_(bindparam("some", expanding=True)))
    .order_by(lines.c.order_id, lines.c.line)
)
_find_destinations = select(*destinations.c).where(
    destinations.c.order_id.in_(bindparam("some", expanding=True))
)
AT_ONCE = 500
"""Ids in one statement: databases limit its parameters."""
_ORDER_ID, _ACCOUNT_ID, _ADDRESS = (
    list(orders.c).index(one) for one in (orders.c.order_id, orders.c.account_id, orders.c.address)
)


def read_orders(
    connection: Connection, statement: Executable, parameters: dict[str, Any] | None = None
) -> list[Order]:
    """Return the orders that a statement selects, with their lines and destinations."""
    return orders_of(connection, connection.execute(statement, parameters).all())


def orders_of(connection: Connection, rows: Sequence[Any]) -> list[Order]:
    """Return the orders of these rows, with their lines and destinations.

    Orders of the plain counter have neither, and cost no query.
    """
    baskets = [row[_ORDER_ID] for row in rows if row[_ACCOUNT_ID] is not None]
    published = [row[_ORDER_ID] for row in rows if row[_ADDRESS] == NO_ADDRESS]
    of_order: dict[str, list[Any]] = defaultdict(list)
    for line in _rows_of(connection, _find_lines, baskets):
        of_order[line.order_id].append(line)
    brought = _rows_of(connection, _find_destinations, [*baskets, *published])
    destination = {row.order_id: row for row in brought}
    return [
        order_of(row, of_order.get(row[_ORDER_ID], ()), destination.get(row[_ORDER_ID]))
        for row in rows
    ]


def _rows_of(
    connection: Connection, statement: Executable, order_ids: Sequence[str]
) -> Iterator[Any]:
    """Yield the rows that a statement selects for some orders."""
    for some in in_parts(order_ids, AT_ONCE):
        yield from connection.execute(statement, {"some": some})


def load_orders(connection: Connection) -> Snapshot:
    """Read the Dispatcher's state; the time does not grow with the number of ended orders."""
    recent = read_orders(connection, _recent)
    # An order that took no time was not brewed here, but published or imported.
    brewed = [
        order.brewed_seconds
        for order in recent
        if order.status is not Status.CANCELLED and order.brewed_seconds > 0
    ]
    return Snapshot(
        live=tuple(read_orders(connection, _live)),
        recent=tuple(reversed(recent)),
        last_number=load_last_number(connection),
        brewing_seconds=tuple(reversed(brewed[:LAST_BREWED])),
        pausing=load_pausing(connection),
    )


def find_order(connection: Connection, order_id: str) -> Order | None:
    """Return an order as it is committed; None if there is none."""
    if not order_id.isprintable():
        return None  # no database could store it; an id in a URL may be any text
    return _first(read_orders(connection, _find, {"order_id": order_id}))


def find_ids(connection: Connection, order_ids: Sequence[str]) -> set[str]:
    """Return those of several ids that orders have."""
    found: set[str] = set()
    for some in in_parts(order_ids, AT_ONCE):
        known = select(orders.c.order_id).where(orders.c.order_id.in_(some))
        found.update(connection.execute(known).scalars())
    return found


def load_last_number(connection: Connection) -> int:
    """Return the last ticket number."""
    number: int = connection.execute(_last_number).scalar_one()
    return number


def find_by_key(connection: Connection, scope: str, key: str, since: float) -> Order | None:
    """Return the order that holds a key, if it was placed at `since` or later.

    `scope` is the customer's address, or the account's scope.
    """
    wanted = {"scope": scope, "key": key, "since": since}
    return _first(read_orders(connection, _find_by_key, wanted))


def _first(found: Sequence[Order]) -> Order | None:
    return found[0] if found else None


def find_orders(connection: Connection, order_ids: Sequence[str]) -> dict[str, Order]:
    """Return several orders by their ids, as they are committed."""
    found: list[Order] = []
    for some in in_parts(order_ids, AT_ONCE):
        found += read_orders(connection, _find_some, {"some": some})
    return {order.order_id: order for order in found}


def list_placed(connection: Connection, query: PlacedQuery) -> list[Order]:
    """Return a page of baskets' orders, the newest first, and one more if there are more."""
    placed = select(*orders.c).where(orders.c.account_id.is_not(None))
    if query.behind is not None:
        placed = placed.where(orders.c.number < query.behind)
    placed = placed.order_by(orders.c.number.desc()).limit(query.most + 1)
    if query.account_id is not None:
        placed = placed.where(orders.c.account_id == query.account_id)
        if query.statuses:
            placed = placed.where(orders.c.status.in_([one.value for one in query.statuses]))
        return read_orders(connection, placed)
    rows: list[Any] = []
    for status in query.statuses or Status:  # the index has each by number, but not several
        rows += connection.execute(placed.where(orders.c.status == status.value))
    newest: list[Any] = nlargest(query.most + 1, rows, key=lambda row: row.number)
    return orders_of(connection, newest)


MOST_EVENTS = 500


def read_history(connection: Connection, order_id: str, after: int) -> list[Logged]:
    """Return the events of an order after a position, oldest first, at most MOST_EVENTS."""
    found = connection.execute(
        select(events)
        .where(events.c.subject == order_id, events.c.department == "orders")
        .where(events.c.position > after)
        .order_by(events.c.position)
        .limit(MOST_EVENTS)
    )
    return [Logged(row[0], row[1], Event(*row[2:])) for row in found]


def drop_expired_keys(connection: Connection, placed_before: float) -> int:
    """Delete the expired keys of ended orders; return how many."""
    ended = select(orders.c.order_id).where(orders.c.ended_at.is_not(None))
    expired = delete(keys).where(keys.c.placed_at < placed_before, keys.c.order_id.in_(ended))
    return connection.execute(expired).rowcount


class Step(NamedTuple):
    """One transition of an order, and the barista who did it, if they gave a name."""

    action: str
    by: str | None


class History(NamedTuple):
    """One order, and its transitions in order."""

    order: Order
    steps: tuple[Step, ...]


def read_histories(connection: Connection, since: float, until: float) -> list[History]:
    """Return the orders placed from `since` on and before `until`, by number.

    Both are seconds since the Unix epoch. Orders that staff published or that were imported are
    left out: they were not brewed here.
    """
    placed = (
        orders.c.placed_at >= since,
        orders.c.placed_at < until,
        orders.c.address != NO_ADDRESS,
    )
    rows = read_orders(connection, select(*orders.c).where(*placed).order_by(orders.c.number))
    steps: dict[str, list[Step]] = {row.order_id: [] for row in rows}
    happened = (
        select(events.c.subject, events.c.action, events.c.by)
        .join(orders, events.c.subject == orders.c.order_id)
        .where(events.c.department == "orders", *placed)
        .order_by(events.c.position)
    )
    for order_id, action, by in connection.execute(happened):
        steps[order_id].append(Step(action, by))
    return [History(row, tuple(steps[row.order_id])) for row in rows]
