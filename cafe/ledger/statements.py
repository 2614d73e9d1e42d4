"""What the store says to the database. Written once for both, turned into SQL once a dialect.

Rule: rows go in as they are, tuples in the order of their fields. That is a third of the cost of
SQLAlchemy's own way with parameters, which matters for what is done for every coffee.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Delete,
    Dialect,
    Table,
    TableClause,
    and_,
    bindparam,
    column,
    delete,
    func,
    select,
    table,
)
from sqlalchemy.dialects import postgresql, sqlite

from cafe.ledger.records import EventRow, OrderRow
from cafe.ledger.schema import LIVE, idempotency_keys, order_events, orders

CHANGING = (
    "bound",
    "abandoned",
    "status",
    "barista",
    "started_at",
    "lease_expires_at",
    "lapsed",
    "ended_at",
)
"""The columns of `orders` that may differ between two records of the same order."""
LAST_BREWED = 20

order_columns = [orders.c[name] for name in OrderRow._fields]

find_order = select(*order_columns).where(orders.c.order_id == bindparam("order_id"))
find_order_by_key = (
    select(*order_columns)
    .join(idempotency_keys, idempotency_keys.c.order_id == orders.c.order_id)
    .where(
        idempotency_keys.c.address == bindparam("address"),
        idempotency_keys.c.key == bindparam("key"),
        idempotency_keys.c.placed_at >= bindparam("since"),
    )
)
# Spelled out, as the partial index is, so that it serves: a bound value would not prove anything.
live_orders = (
    select(*order_columns)
    .where(orders.c.status.in_(bindparam("live", LIVE, expanding=True, literal_execute=True)))
    .order_by(orders.c.number)
)
last_event = (
    select(*(order_events.c[name] for name in EventRow._fields))
    .order_by(order_events.c.sequence.desc())
    .limit(1)
)
last_number = select(func.coalesce(func.max(orders.c.number), 0))
count_by_status = select(orders.c.status, func.count()).group_by(orders.c.status)
last_brewed = (
    select(orders.c.started_at, orders.c.ended_at)
    .join(order_events, order_events.c.order_id == orders.c.order_id)
    .where(
        order_events.c.after == "ready",
        orders.c.started_at.is_not(None),
        orders.c.ended_at.is_not(None),
    )
    .order_by(order_events.c.sequence.desc())
    .limit(LAST_BREWED)
)


@dataclass(frozen=True, slots=True)
class Writing:
    """The statements of a commit, as SQL for `exec_driver_sql`; each takes a list of tuples."""

    put_orders: str
    """Takes OrderRows: new ones, or newer states of those that are there."""
    add_events: str
    """Takes EventRows."""
    put_keys: str
    """Takes address, key, order id and time of the placing."""
    free_keys: str
    """Takes address, key and order id: a key that another order has taken is kept."""


def writing_for(dialect: Dialect) -> Writing:
    """Turn the statements of a commit into SQL for one dialect."""
    insert: Any = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    put_orders = insert(_in_order_of(OrderRow._fields, orders))
    put_orders = put_orders.on_conflict_do_update(
        index_elements=["order_id"],
        set_={name: put_orders.excluded[name] for name in CHANGING},
    )
    put_keys = insert(idempotency_keys)
    put_keys = put_keys.on_conflict_do_update(
        index_elements=["address", "key"],
        set_={name: put_keys.excluded[name] for name in ("order_id", "placed_at")},
    )
    return Writing(
        put_orders=_sql(put_orders, dialect),
        add_events=_sql(insert(_in_order_of(EventRow._fields, order_events)), dialect),
        put_keys=_sql(put_keys, dialect),
        free_keys=_sql(_free_keys(), dialect),
    )


def _in_order_of(fields: tuple[str, ...], whole: Table) -> TableClause:
    """Give the table with its columns as a row has its fields."""
    return table(whole.name, *(column(name, whole.c[name].type) for name in fields))


def _free_keys() -> Delete:
    columns = idempotency_keys.c
    names = ("address", "key", "order_id")
    return delete(idempotency_keys).where(and_(*(columns[n] == bindparam(n) for n in names)))


def _sql(statement: Any, dialect: Dialect) -> str:
    positional: Any = type(dialect)
    paramstyle = "format" if dialect.name == "postgresql" else "qmark"
    return str(statement.compile(dialect=positional(paramstyle=paramstyle)))
