"""The tables of orders, and how an order becomes a row.

Rule: the conversion loses nothing: `order_of(row_of(order)) == order`. An order's fields are the
columns of its table, in the same order.
"""

from __future__ import annotations

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
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from cafe.ledger.department import Drop, Entry, Event, Put
from cafe.ledger.tables import CONSTANT, metadata
from cafe.orders.order import LIVE, Action, Change, Order, Status


def _one_of(column: str, words: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(repr(str(word)) for word in words)})"


orders = Table(
    "orders",
    metadata,
    Column("order_id", String(64), primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True, info=CONSTANT),
    Column("drink", Text, nullable=False, info=CONSTANT),
    Column("name", Text, info=CONSTANT),
    Column("address", Text, nullable=False, info=CONSTANT),
    Column("placed_at", Float(53), nullable=False, info=CONSTANT),
    Column("key", Text, info=CONSTANT),
    Column("bound", Boolean, nullable=False),
    Column("abandoned", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("barista", Text),
    Column("claim", Text),
    Column("started_at", Float(53)),
    Column("lease_expires_at", Float(53)),
    Column("lapsed", Boolean, nullable=False),
    Column("ended_at", Float(53)),
    CheckConstraint(_one_of("status", Status), name="status"),
)
# Few orders wait or are in preparation, very many have ended.
Index(
    "ix_orders_live",
    orders.c.number,
    sqlite_where=text(_one_of("status", LIVE)),
    postgresql_where=text(_one_of("status", LIVE)),
)
Index("ix_orders_placed_at", orders.c.placed_at)
Index("ix_orders_ended_at", orders.c.ended_at)

keys = Table(
    "idempotency_keys",
    metadata,
    Column("address", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("order_id", String(64), ForeignKey("orders.order_id"), nullable=False),
    Column("placed_at", Float(53), nullable=False),
)
Index("ix_idempotency_keys_placed_at", keys.c.placed_at)

id_secret = Table(
    "order_id_secret",
    metadata,
    # One row, made by the shop that opens the ledger first.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("secret", LargeBinary, nullable=False),
    # Orders up to this number are older, and have ids without a signature.
    Column("unsigned_through", BigInteger, nullable=False),
)

_STATUS = Order._fields.index("status")


def row_of(order: Order) -> tuple[Any, ...]:
    """Return an order as plain values: drivers do not know enums."""
    return (*order[:_STATUS], order.status.value, *order[_STATUS + 1 :])


def order_of(row: Sequence[Any]) -> Order:
    """Return the order that a row holds."""
    return Order._make((*row[:_STATUS], Status(row[_STATUS]), *row[_STATUS + 1 :]))


def put_key(order: Order) -> Put:
    """Return the change that maps the key of an order to it."""
    return Put(keys, (order.address, order.key, order.order_id, order.placed_at))


def drop_key(order: Order) -> Drop:
    """Return the change that frees the key of an order."""
    return Drop(keys, (order.address, order.key))


def entry_of(change: Change) -> Entry:
    """Return a change as an entry of the ledger."""
    action, before, order, at, by, reason = change
    event = Event(
        order.order_id,
        action.value,
        None if before is None else before.value,
        order.status.value,
        at,
        by,
        reason,
    )
    stored = Put(orders, row_of(order))
    if order.key is None:
        return Entry(event, (stored,))
    if action is Action.PLACE:
        return Entry(event, (stored, put_key(order)))
    if order.status is Status.CANCELLED:
        return Entry(event, (stored, drop_key(order)))
    return Entry(event, (stored,))
