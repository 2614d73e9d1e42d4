"""Managers may pause the shop: it takes no new orders until then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the table; nobody has paused so far."""
    op.create_table(
        "order_pauses",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("intake", sa.String(16), nullable=False),
        sa.Column("since", sa.Float(53), nullable=False),
        sa.Column("until", sa.Float(53)),
        sa.Column("text", sa.Text),
        sa.Column("by", sa.Text),
        sa.CheckConstraint("intake IN ('open', 'paused')", name=op.f("ck_order_pauses_intake")),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_order_pauses")),
    )
