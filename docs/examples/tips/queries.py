"""What is read from the tables of tips: for one turn of the actor, for one request.

Rule: queries only; what a row means is for `tip.py` to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from cafe.ledger.department import Logged
from docs.examples.tips.tables import brews, followed, tip_of, tips, totals
from docs.examples.tips.tip import Brew, Tip, TipBook


def load_position(connection: Connection) -> int:
    """Return the position up to which events have had their effects."""
    return connection.execute(select(followed.c.position)).scalar() or 0


def look_up(connection: Connection, tip_id: str, order_id: str) -> tuple[Tip | None, TipBook]:
    """Return the tip that has an id, and what is known of an order."""
    row = connection.execute(select(tips).where(tips.c.tip_id == tip_id)).first()
    return None if row is None else tip_of(row), _read_book(connection, [order_id], [])


def look_up_all(connection: Connection, events: Sequence[Logged]) -> tuple[int, TipBook]:
    """Return the position up to which events have had their effects, and the orders of these."""
    order_ids = {one.event.subject for one in events}
    baristas = {one.event.by for one in events if one.event.by is not None}
    return load_position(connection), _read_book(connection, order_ids, baristas)


def _read_book(
    connection: Connection, order_ids: Iterable[str], baristas: Iterable[str]
) -> TipBook:
    """Return some orders with their tips, and the totals of their baristas and of these."""
    of_orders = [
        Brew._make(row)
        for row in connection.execute(select(brews).where(brews.c.order_id.in_(order_ids)))
    ]
    given = connection.execute(select(tips).where(tips.c.order_id.in_(order_ids)))
    names = {*baristas, *(brew.barista for brew in of_orders)}
    got = connection.execute(select(totals).where(totals.c.barista.in_(names)))
    return TipBook(of_orders, map(tip_of, given), {row.barista: row.cents for row in got})


def read_totals(connection: Connection) -> dict[str, int]:
    """Return the cents that each barista has got in all."""
    found = connection.execute(select(totals).order_by(totals.c.barista))
    return {row.barista: row.cents for row in found}
