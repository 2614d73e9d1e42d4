"""What a report is made of: the orders of some time, each with what happened to it.

Rule: rows only; what they come to is for others to say.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from cafe.ledger.records import OrderRow
from cafe.ledger.schema import order_events, orders


class Deed(NamedTuple):
    """Something that happened to an order, and which barista did it, if he gave a name."""

    action: str
    by: str | None


class Life(NamedTuple):
    """One order, and all that happened to it, first things first."""

    order: OrderRow
    deeds: tuple[Deed, ...]


def read_lives(connection: Connection, since: float, until: float) -> list[Life]:
    """Give the orders placed from `since` on and before `until`, by number.

    Both are seconds since the Unix epoch.
    """
    placed = (orders.c.placed_at >= since, orders.c.placed_at < until)
    columns = (orders.c[name] for name in OrderRow._fields)
    found = connection.execute(select(*columns).where(*placed).order_by(orders.c.number))
    rows = [OrderRow._make(row) for row in found]
    deeds: dict[str, list[Deed]] = {row.order_id: [] for row in rows}
    happened = (
        select(order_events.c.order_id, order_events.c.action, order_events.c.by)
        .join(orders, order_events.c.order_id == orders.c.order_id)
        .where(*placed)
        .order_by(order_events.c.sequence)
    )
    for order_id, action, by in connection.execute(happened):
        deeds[order_id].append(Deed(action, by))
    return [Life(row, tuple(deeds[row.order_id])) for row in rows]
