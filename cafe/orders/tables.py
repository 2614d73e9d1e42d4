"""The tables of orders, and how an order becomes a row.

Rule: the conversion loses nothing: `order_of(row_of(order), line_rows(order),
destination_row(order)) == order`. An order's fields are the first columns of its table, in the same
order; those of its basket come after them. Its destination has a table of its own, so that the rows
of the plain counter stay small.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
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
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from cafe.ledger.department import Drop, Entry, Event, Put
from cafe.ledger.tables import CONSTANT, metadata, one_of
from cafe.orders.order import (
    BEGINNINGS,
    LIVE,
    Basket,
    Change,
    Destination,
    Line,
    Order,
    Status,
)

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
    # Of a basket; all are NULL for an order of the plain counter.
    Column("account_id", String(64), info=CONSTANT),
    Column("total_cents", BigInteger, info=CONSTANT),
    Column("fingerprint", Text, info=CONSTANT),
    Column("metadata", Text, info=CONSTANT),
    Column("prepaid", Boolean, info=CONSTANT),
    CheckConstraint(one_of("status", Status), name="status"),
)
# Few orders wait or are in preparation, very many have ended.
Index(
    "ix_orders_live",
    orders.c.number,
    sqlite_where=text(one_of("status", LIVE)),
    postgresql_where=text(one_of("status", LIVE)),
)
Index("ix_orders_placed_at", orders.c.placed_at)
Index("ix_orders_ended_at", orders.c.ended_at)
IS_BASKET = "account_id IS NOT NULL"
# To list the newest first: of an account, and of a status.
Index(
    "ix_orders_account_id",
    orders.c.account_id,
    orders.c.number,
    sqlite_where=text(IS_BASKET),
    postgresql_where=text(IS_BASKET),
)
Index(
    "ix_orders_status",
    orders.c.status,
    orders.c.number,
    sqlite_where=text(IS_BASKET),
    postgresql_where=text(IS_BASKET),
)

lines = Table(
    "order_lines",
    metadata,
    # Written with their order, and never changed.
    Column("order_id", String(64), ForeignKey("orders.order_id"), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("product_id", String(64), nullable=False, info=CONSTANT),
    Column("variation_id", String(64), info=CONSTANT),
    Column("name", Text, nullable=False, info=CONSTANT),
    Column("variation", Text, info=CONSTANT),
    Column("quantity", Integer, nullable=False, info=CONSTANT),
    Column("unit_price_cents", BigInteger, nullable=False, info=CONSTANT),
)

destinations = Table(
    "order_destinations",
    metadata,
    # Written with their order, and never changed.
    Column("order_id", String(64), ForeignKey("orders.order_id"), primary_key=True),
    Column("district_id", String(64), nullable=False, info=CONSTANT),
    Column("district", Text, nullable=False, info=CONSTANT),
    Column("address", Text, info=CONSTANT),
)

keys = Table(
    "idempotency_keys",
    metadata,
    # Of the customer, or `account:` and the id of the account that a basket belongs to.
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
_BASKET = Order._fields.index("basket")
_NO_BASKET = (None,) * (len(orders.c) - _BASKET)


def row_of(order: Order) -> tuple[Any, ...]:
    """Return an order as plain values, without its lines and its destination.

    Drivers do not accept enums.
    """
    of_basket: tuple[Any, ...] = _NO_BASKET
    if order.basket is not None:
        account_id, _, *more = order.basket
        of_basket = (account_id, *more)
    return (*order[:_STATUS], order.status.value, *order[_STATUS + 1 : _BASKET], *of_basket)


def line_rows(order: Order) -> list[tuple[Any, ...]]:
    """Return the lines of an order as rows; none for one of the plain counter."""
    sold = () if order.basket is None else order.basket.lines
    return [(order.order_id, number, *line) for number, line in enumerate(sold, 1)]


def destination_row(order: Order) -> tuple[Any, ...] | None:
    """Return the destination of an order as a row; None if no courier brings it."""
    return None if order.destination is None else (order.order_id, *order.destination)


def order_of(
    row: Sequence[Any],
    of_lines: Iterable[Sequence[Any]] = (),
    of_destination: Sequence[Any] | None = None,
) -> Order:
    """Return the order of a row, given the rows of its lines and of its destination."""
    account_id, *more = row[_BASKET:]
    basket = None
    if account_id is not None:
        basket = Basket(account_id, tuple(Line(*one[2:]) for one in of_lines), *more)
    destination = None if of_destination is None else Destination(*of_destination[1:])
    return Order._make(
        (
            *row[:_STATUS],
            Status(row[_STATUS]),
            *row[_STATUS + 1 : _BASKET],
            basket,
            destination,
        )
    )


def put_key(order: Order) -> Put:
    """Return the change that maps the key of an order to it."""
    return Put(keys, (order.scope, order.key, order.order_id, order.placed_at))


def drop_key(order: Order) -> Drop:
    """Return the change that frees the key of an order."""
    return Drop(keys, (order.scope, order.key))


def data_of(order: Order) -> str | None:
    """Return the data that followers receive with each event of an order, as JSON.

    One of the plain counter has none. A basket's has `account_id` and `total_cents`; if a courier
    brings the order, it has `destination`.
    """
    basket, destination = order.basket, order.destination
    if basket is None and destination is None:
        return None
    data: dict[str, Any] = {"number": order.number}
    if basket is not None:
        data |= {"account_id": basket.account_id, "total_cents": basket.total_cents}
    if destination is not None:
        data["destination"] = destination._asdict()
    return json.dumps(data)


def _other_rows(order: Order) -> Iterator[Put]:
    """Yield the changes that write the other rows of a new order: lines, destination, key."""
    for row in line_rows(order):
        yield Put(lines, row)
    destination = destination_row(order)
    if destination is not None:
        yield Put(destinations, destination)
    if order.key is not None:
        yield put_key(order)


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
        data_of(order),
    )
    stored = Put(orders, row_of(order))
    if order.key is None and order.basket is None and order.destination is None:
        return Entry(event, (stored,))
    if action in BEGINNINGS:
        return Entry(event, (stored, *_other_rows(order)))
    if order.key is not None and not order.is_found_by_key:
        return Entry(event, (stored, drop_key(order)))
    return Entry(event, (stored,))
