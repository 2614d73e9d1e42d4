"""The menu: products and their variations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "products",
        sa.Column("product_id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("base_price_cents", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.CheckConstraint("base_price_cents >= 0", name=op.f("ck_products_base_price_cents")),
        sa.CheckConstraint(
            "status IN ('on the menu', 'sold out', 'deleted')", name=op.f("ck_products_status")
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_products")),
    )
    op.create_table(
        "variations",
        sa.Column("product_id", sa.String(64), nullable=False),
        sa.Column("variation_id", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("price_change_cents", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.product_id"], name=op.f("fk_variations_product_id")
        ),
        sa.PrimaryKeyConstraint("product_id", "variation_id", name=op.f("pk_variations")),
    )
