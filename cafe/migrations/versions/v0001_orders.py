"""Orders, what happened to them, and the keys by which customers find them again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

STATUSES = "('waiting', 'preparation', 'ready', 'delivered', 'cancelled')"
LIVE = sa.text("status IN ('waiting', 'preparation')")


def upgrade() -> None:
    """Make the first tables."""
    _make_orders()
    _make_events()
    _make_keys()


def _make_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("drink", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("key", sa.Text),
        sa.Column("placed_at", sa.Float(53), nullable=False),
        sa.Column("bound", sa.Boolean, nullable=False),
        sa.Column("abandoned", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("barista", sa.Text),
        sa.Column("started_at", sa.Float(53)),
        sa.Column("lease_expires_at", sa.Float(53)),
        sa.Column("lapsed", sa.Boolean, nullable=False),
        sa.Column("ended_at", sa.Float(53)),
        sa.CheckConstraint(f"status IN {STATUSES}", name=op.f("ck_orders_status")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_orders")),
        sa.UniqueConstraint("number", name=op.f("uq_orders_number")),
    )
    op.create_index(
        "ix_orders_live", "orders", ["number"], sqlite_where=LIVE, postgresql_where=LIVE
    )
    op.create_index("ix_orders_placed_at", "orders", ["placed_at"])


def _make_events() -> None:
    op.create_table(
        "order_events",
        sa.Column("sequence", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("before", sa.String(16)),
        sa.Column("after", sa.String(16), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("by", sa.Text),
        sa.Column("reason", sa.Text),
        sa.CheckConstraint(f"after IN {STATUSES}", name=op.f("ck_order_events_after")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.order_id"], name=op.f("fk_order_events_order_id")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_order_events")),
    )
    op.create_index("ix_order_events_order_id", "order_events", ["order_id"])


def _make_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("placed_at", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.order_id"], name=op.f("fk_idempotency_keys_order_id")
        ),
        sa.PrimaryKeyConstraint("address", "key", name=op.f("pk_idempotency_keys")),
    )
