"""Orders of baskets: whose they are, and their lines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BASKETS = sa.text("account_id IS NOT NULL")


def upgrade() -> None:
    """Make the tables."""
    for column in (
        sa.Column("account_id", sa.String(64)),
        sa.Column("total_cents", sa.BigInteger),
        sa.Column("fingerprint", sa.Text),
        sa.Column("metadata", sa.Text),
        sa.Column("prepaid", sa.Boolean),
    ):
        op.add_column("orders", column)
    for first in ("account_id", "status"):
        op.create_index(
            f"ix_orders_{first}",
            "orders",
            [first, "number"],
            sqlite_where=BASKETS,
            postgresql_where=BASKETS,
        )
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("line", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("product_id", sa.String(64), nullable=False),
        sa.Column("variation_id", sa.String(64)),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("variation", sa.Text),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price_cents", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.order_id"], name=op.f("fk_order_lines_order_id")
        ),
        sa.PrimaryKeyConstraint("order_id", "line", name=op.f("pk_order_lines")),
    )
