"""What a report is made of: the orders of some time, each with what happened to it.

Rule: rows only; what they come to is for others to say.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from cafe.ledger.tables import events
from cafe.orders.order import Order
from cafe.orders.tables import order_of, orders


class Deed(NamedTuple):
    """Something that happened to an order, and which barista did it, if he gave a name."""

    action: str
    by: str | None


class Life(NamedTuple):
    """One order, and all that happened to it, first things first."""

    order: Order
    deeds: tuple[Deed, ...]


def read_lives(connection: Connection, since: float, until: float) -> list[Life]:
    """Give the orders placed from `since` on and before `until`, by number.

    Both are seconds since the Unix epoch.
    """
    placed = (orders.c.placed_at >= since, orders.c.placed_at < until)
    found = connection.execute(select(*orders.c).where(*placed).order_by(orders.c.number))
    rows = [order_of(row) for row in found]
    deeds: dict[str, list[Deed]] = {row.order_id: [] for row in rows}
    happened = (
        select(events.c.subject, events.c.action, events.c.by)
        .join(orders, events.c.subject == orders.c.order_id)
        .where(events.c.department == "orders", *placed)
        .order_by(events.c.position)
    )
    for order_id, action, by in connection.execute(happened):
        deeds[order_id].append(Deed(action, by))
    return [Life(row, tuple(deeds[row.order_id])) for row in rows]
