"""Where orders are delivered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "order_destinations",
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("district_id", sa.String(64), nullable=False),
        sa.Column("district", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.order_id"], name=op.f("fk_order_destinations_order_id")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_destinations")),
    )
