"""One log for every department: the orders' events move into it.

Claims get an id, ended orders and keys an index by time, and how far the log was pruned is kept, as
is the secret that ids of orders are signed with.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_COPY = """
    INSERT INTO events (position, department, subject, action, before, after, at, "by", reason)
    SELECT sequence, 'orders', order_id, action, before, after, at, "by", reason FROM order_events
"""


def upgrade() -> None:
    """Make the log, fill it, and drop what it replaces."""
    op.create_table(
        "events",
        sa.Column("position", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("department", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("before", sa.String(32)),
        sa.Column("after", sa.String(32), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("by", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("data", sa.Text),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_events")),
    )
    op.execute(_COPY)
    op.create_index("ix_events_subject", "events", ["subject", "department"])
    op.drop_table("order_events")
    op.create_table(
        "prunings",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("through", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prunings")),
    )
    op.add_column("orders", sa.Column("claim", sa.Text))
    op.create_index("ix_orders_ended_at", "orders", ["ended_at"])
    op.create_index("ix_idempotency_keys_placed_at", "idempotency_keys", ["placed_at"])
    op.create_table(
        "order_id_secret",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("unsigned_through", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_id_secret")),
    )
