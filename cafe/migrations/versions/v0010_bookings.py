"""Tables, and bookings of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

STATUSES = "('requested', 'accepted', 'declined', 'cancelled', 'expired')"
EXCLUDE = """
ALTER TABLE bookings ADD CONSTRAINT ex_bookings_accepted EXCLUDE USING gist (
    int4range(table_number, table_number, '[]') WITH &&,
    int8range((starts_at * 1000000)::bigint, (ends_at * 1000000)::bigint) WITH &&
) WHERE (status = 'accepted')
"""
TRIGGER = """
CREATE TRIGGER tr_bookings_accepted_{name} AFTER {event} ON bookings
WHEN NEW.status = 'accepted' AND EXISTS (
    SELECT 1 FROM bookings AS other
    WHERE other.table_id = NEW.table_id AND other.status = 'accepted'
    AND other.ends_at > NEW.starts_at AND other.starts_at < NEW.ends_at
    AND other.booking_id <> NEW.booking_id
)
BEGIN SELECT RAISE(ABORT, 'two accepted bookings of a table overlap'); END
"""


def upgrade() -> None:
    """Make the tables, and what keeps accepted bookings apart."""
    op.create_table(
        "dining_tables",
        sa.Column("table_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("seats", sa.Integer, nullable=False),
        sa.Column("price_cents", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.CheckConstraint("price_cents >= 0", name=op.f("ck_dining_tables_price_cents")),
        sa.CheckConstraint("seats > 0", name=op.f("ck_dining_tables_seats")),
        sa.PrimaryKeyConstraint("table_id", name=op.f("pk_dining_tables")),
        sa.UniqueConstraint("number", name=op.f("uq_dining_tables_number")),
    )
    _make_bookings()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(EXCLUDE)
    else:
        for event in ("insert", "update"):
            op.execute(TRIGGER.format(name=event, event=event.upper()))
    op.create_table(
        "booking_secret",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_secret")),
    )


def _make_bookings() -> None:
    op.create_table(
        "bookings",
        sa.Column("booking_id", sa.String(64), nullable=False),
        sa.Column("table_id", sa.String(64), nullable=False),
        sa.Column("table_number", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("starts_at", sa.Float(53), nullable=False),
        sa.Column("ends_at", sa.Float(53), nullable=False),
        sa.Column("party", sa.Integer, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("phone", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("asked_at", sa.Float(53), nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("step_id", sa.String(64)),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_bookings_period")),
        sa.CheckConstraint(f"status IN {STATUSES}", name=op.f("ck_bookings_status")),
        sa.ForeignKeyConstraint(
            ["table_id"], ["dining_tables.table_id"], name=op.f("fk_bookings_table_id")
        ),
        sa.PrimaryKeyConstraint("booking_id", name=op.f("pk_bookings")),
    )
    accepted = sa.text("status = 'accepted'")
    op.create_index(
        "ix_bookings_accepted",
        "bookings",
        ["table_id", "ends_at"],
        sqlite_where=accepted,
        postgresql_where=accepted,
    )
    op.create_index("ix_bookings_ends_at", "bookings", ["ends_at"])
    op.create_index("ix_bookings_starts_at", "bookings", ["starts_at", "booking_id"])
    op.create_index("ix_bookings_status", "bookings", ["status", "starts_at", "booking_id"])
