"""A booking may belong to an account."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the column; all bookings so far belong to no account."""
    op.add_column("bookings", sa.Column("account_id", sa.String(64)))
