"""Payments of baskets, and how far the orders' events were followed for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_OPEN = "status IN ('intent', 'asked', 'paid', 'refund_pending')"
_STATUS = (
    "status IN ('intent', 'asked', 'paid', 'placed', 'refused', 'refund_pending', 'refunded', "
    "'not_required', 'at_counter')"
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "payments",
        sa.Column("payment_id", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("total_cents", sa.BigInteger, nullable=False),
        sa.Column("intended_at", sa.Float(53), nullable=False),
        sa.Column("key", sa.Text),
        sa.Column("fingerprint", sa.Text),
        sa.Column("wanted", sa.Text),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
        sa.Column("number", sa.BigInteger),
        sa.Column("charge_status", sa.Integer),
        sa.Column("charge_ref", sa.Text),
        sa.Column("charge_answer", sa.Text),
        sa.Column("refund_status", sa.Integer),
        sa.Column("refund_ref", sa.Text),
        sa.Column("refund_answer", sa.Text),
        sa.CheckConstraint(_STATUS, name=op.f("ck_payments_status")),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_payments")),
        sa.UniqueConstraint("order_id", name=op.f("uq_payments_order_id")),
        sa.UniqueConstraint("account_id", "key", name=op.f("uq_payments_account_id")),
    )
    op.create_index(
        "ix_payments_open",
        "payments",
        ["intended_at"],
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.create_index("ix_payments_changed_at", "payments", ["changed_at"])
    op.create_index("ix_payments_status", "payments", ["status", "number"])
    op.create_table(
        "payments_followed",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments_followed")),
    )
    # No order that is older is a basket, so that there is nothing to follow.
    op.execute(
        "INSERT INTO payments_followed (id, position) "
        "SELECT 1, MAX(position) FROM events HAVING MAX(position) IS NOT NULL"
    )
