"""The tables, in plain, queryable shape; SQLite and PostgreSQL alike.

Rule: what may not be, the database refuses: unknown words, a second coffee for a number, an event
written twice. `migrations/` makes these tables; a test holds both against each other.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    Text,
    text,
)

STATUSES = ("waiting", "preparation", "ready", "delivered", "cancelled")
LIVE = ("waiting", "preparation")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


orders = Table(
    "orders",
    metadata,
    Column("order_id", String(64), primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("drink", Text, nullable=False),
    Column("name", Text),
    Column("address", Text, nullable=False),
    Column("key", Text),
    Column("placed_at", Float(53), nullable=False),
    Column("bound", Boolean, nullable=False),
    Column("abandoned", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("barista", Text),
    Column("started_at", Float(53)),
    Column("lease_expires_at", Float(53)),
    Column("lapsed", Boolean, nullable=False),
    Column("ended_at", Float(53)),
    CheckConstraint(_one_of("status", STATUSES), name="status"),
)
# Few live orders among very many that have ended.
Index(
    "ix_orders_live",
    orders.c.number,
    sqlite_where=text(_one_of("status", LIVE)),
    postgresql_where=text(_one_of("status", LIVE)),
)
Index("ix_orders_placed_at", orders.c.placed_at)

order_events = Table(
    "order_events",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("order_id", String(64), ForeignKey("orders.order_id"), nullable=False),
    Column("action", String(16), nullable=False),
    Column("before", String(16)),
    Column("after", String(16), nullable=False),
    Column("at", Float(53), nullable=False),
    Column("by", Text),
    Column("reason", Text),
    CheckConstraint(_one_of("after", STATUSES), name="after"),
)
Index("ix_order_events_order_id", order_events.c.order_id)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("address", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("order_id", String(64), ForeignKey("orders.order_id"), nullable=False),
    Column("placed_at", Float(53), nullable=False),
)
