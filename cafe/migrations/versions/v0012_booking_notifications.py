"""Notifications of bookings, too: each has a topic, and details in place of an order's number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

STATES = "('held', 'due', 'retrying', 'delivered', 'set_aside')"
ATTEMPTS_REFER = "fk_notification_attempts_event_id"


def upgrade() -> None:
    """Rebuild the tables; all rows so far are of orders."""
    # On SQLite references are not enforced while it migrates, and need not be taken away.
    refers = op.get_bind().dialect.name != "sqlite"
    if refers:
        op.drop_constraint(ATTEMPTS_REFER, "notification_attempts")
    _rebuild_notifications()
    if refers:
        op.create_foreign_key(
            ATTEMPTS_REFER, "notification_attempts", "notifications", ["event_id"], ["event_id"]
        )
    _rebuild_followed()


def _rebuild_notifications() -> None:
    op.execute("CREATE TABLE kept_notifications AS SELECT * FROM notifications")
    op.drop_table("notifications")
    _make_notifications()
    op.execute(
        "INSERT INTO notifications (event_id, position, topic, subject_id, sequence, details, "
        "status, occurred_at, state, attempts, failures, due_at, delivered_at) "
        "SELECT event_id, position, 'order', order_id, sequence, "
        """'{"number": ' || number || '}', """
        "status, occurred_at, state, attempts, failures, due_at, delivered_at "
        "FROM kept_notifications"
    )
    op.drop_table("kept_notifications")
    op.create_index("ix_notifications_delivered_at", "notifications", ["delivered_at"])
    op.create_index("ix_notifications_due_at", "notifications", ["topic", "state", "due_at"])
    op.create_index("ix_notifications_state", "notifications", ["state", "position"])


def _make_notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("topic", sa.String(16), nullable=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("occurred_at", sa.Float(53), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Float(53)),
        sa.Column("delivered_at", sa.Float(53)),
        sa.CheckConstraint(f"state IN {STATES}", name=op.f("ck_notifications_state")),
        sa.CheckConstraint("topic IN ('order', 'booking')", name=op.f("ck_notifications_topic")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("topic", "subject_id", "sequence", name=op.f("uq_notifications_topic")),
        sa.UniqueConstraint("position", name=op.f("uq_notifications_position")),
    )


def _rebuild_followed() -> None:
    op.execute("CREATE TABLE kept_followed AS SELECT * FROM notification_followed")
    op.drop_table("notification_followed")
    op.create_table(
        "notification_followed",
        sa.Column("topic", sa.String(16), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("follows", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("topic", name=op.f("pk_notification_followed")),
    )
    op.execute(
        "INSERT INTO notification_followed (topic, position, follows) "
        "SELECT 'order', position, follows FROM kept_followed"
    )
    op.drop_table("kept_followed")
