"""Notifications, and each attempt to deliver one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

STATES = "('held', 'due', 'retrying', 'delivered', 'set_aside')"


def upgrade() -> None:
    """Make the tables."""
    _make_notifications()
    op.create_table(
        "notification_attempts",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["notifications.event_id"],
            name=op.f("fk_notification_attempts_event_id"),
        ),
        sa.PrimaryKeyConstraint("event_id", "number", name=op.f("pk_notification_attempts")),
    )
    op.create_table(
        "notification_counts",
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_notification_counts")),
    )
    op.create_table(
        "notification_followed",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("follows", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_followed")),
    )


def _make_notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("occurred_at", sa.Float(53), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Float(53)),
        sa.Column("delivered_at", sa.Float(53)),
        sa.CheckConstraint(f"state IN {STATES}", name=op.f("ck_notifications_state")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("order_id", "sequence", name=op.f("uq_notifications_order_id")),
        sa.UniqueConstraint("position", name=op.f("uq_notifications_position")),
    )
    op.create_index("ix_notifications_delivered_at", "notifications", ["delivered_at"])
    op.create_index("ix_notifications_due_at", "notifications", ["state", "due_at"])
    op.create_index("ix_notifications_state", "notifications", ["state", "position"])
