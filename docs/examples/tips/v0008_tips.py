"""Tips, the orders that they are for, and what baristas have got."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables of tips."""
    op.create_table(
        "tip_brews",
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("barista", sa.Text, nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("ended_at", sa.Float(53)),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_tip_brews")),
    )
    op.create_index("ix_tip_brews_ended_at", "tip_brews", ["ended_at"])
    op.create_table(
        "tips",
        sa.Column("tip_id", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("cents", sa.BigInteger, nullable=False),
        sa.Column("given_at", sa.Float(53), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("barista", sa.Text),
        sa.Column("settled_at", sa.Float(53)),
        sa.CheckConstraint("cents > 0", name=op.f("ck_tips_cents")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["tip_brews.order_id"], name=op.f("fk_tips_order_id")
        ),
        sa.PrimaryKeyConstraint("tip_id", name=op.f("pk_tips")),
        sa.UniqueConstraint("order_id", name=op.f("uq_tips_order_id")),
    )
    op.create_table(
        "tip_totals",
        sa.Column("barista", sa.Text, nullable=False),
        sa.Column("cents", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("barista", name=op.f("pk_tip_totals")),
    )
    op.create_table(
        "tip_followed",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tip_followed")),
    )
