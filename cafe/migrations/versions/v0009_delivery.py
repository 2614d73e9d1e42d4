"""Districts, couriers, and deliveries, and how far the orders' events were followed for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_STATUS = "status IN ('waiting', 'assigned', 'picked_up', 'delivered', 'failed', 'cancelled')"
_CARRIED = "status IN ('assigned', 'picked_up')"
_KEPT = "status IN ('waiting', 'assigned', 'picked_up', 'failed') OR settled = false"
_DUTY = "duty IN ('on_duty', 'off_duty', 'retired')"
_NOT_RETIRED = "duty <> 'retired'"


def upgrade() -> None:
    """Make the tables."""
    _make_districts()
    _make_couriers()
    _make_deliveries()
    op.create_table(
        "deliveries_followed",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries_followed")),
    )
    # No order that is older is delivered, so that there is nothing to follow.
    op.execute(
        "INSERT INTO deliveries_followed (id, position) "
        "SELECT 1, MAX(position) FROM events HAVING MAX(position) IS NOT NULL"
    )


def _make_districts() -> None:
    op.create_table(
        "districts",
        sa.Column("district_id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("retired", sa.Boolean, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("district_id", name=op.f("pk_districts")),
        sa.UniqueConstraint("number", name=op.f("uq_districts_number")),
        sa.UniqueConstraint("key", name=op.f("uq_districts_key")),
    )


def _make_couriers() -> None:
    op.create_table(
        "couriers",
        sa.Column("courier_id", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("account_id", sa.String(64)),
        sa.Column("duty", sa.String(16), nullable=False),
        sa.Column("free_since", sa.Float(53), nullable=False),
        sa.Column("completed", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("days", sa.BigInteger, nullable=False),
        sa.Column("last_day", sa.String(10)),
        sa.CheckConstraint(_DUTY, name=op.f("ck_couriers_duty")),
        sa.PrimaryKeyConstraint("courier_id", name=op.f("pk_couriers")),
        sa.UniqueConstraint("number", name=op.f("uq_couriers_number")),
    )
    op.create_index(
        "ix_couriers_account_id",
        "couriers",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text(_NOT_RETIRED),
        postgresql_where=sa.text(_NOT_RETIRED),
    )
    op.create_table(
        "courier_districts",
        sa.Column("courier_id", sa.String(64), nullable=False),
        sa.Column("district_id", sa.String(64), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["courier_id"], ["couriers.courier_id"], name=op.f("fk_courier_districts_courier_id")
        ),
        sa.ForeignKeyConstraint(
            ["district_id"],
            ["districts.district_id"],
            name=op.f("fk_courier_districts_district_id"),
        ),
        sa.PrimaryKeyConstraint("courier_id", "district_id", name=op.f("pk_courier_districts")),
    )


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("district_id", sa.String(64), nullable=False),
        sa.Column("district", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("requested_at", sa.Float(53), nullable=False),
        sa.Column("number", sa.BigInteger),
        sa.Column("account_id", sa.String(64)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("courier_id", sa.String(64)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("assigned_at", sa.Float(53)),
        sa.Column("picked_up_at", sa.Float(53)),
        sa.Column("ended_at", sa.Float(53)),
        sa.Column("lease_expires_at", sa.Float(53)),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("command", sa.String(64)),
        sa.CheckConstraint(_STATUS, name=op.f("ck_deliveries_status")),
        sa.ForeignKeyConstraint(
            ["courier_id"], ["couriers.courier_id"], name=op.f("fk_deliveries_courier_id")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("sequence", name=op.f("uq_deliveries_sequence")),
    )
    op.create_index(
        "ix_deliveries_in_hand",
        "deliveries",
        ["courier_id"],
        unique=True,
        sqlite_where=sa.text(_CARRIED),
        postgresql_where=sa.text(_CARRIED),
    )
    op.create_index(
        "ix_deliveries_kept",
        "deliveries",
        ["sequence"],
        sqlite_where=sa.text(_KEPT),
        postgresql_where=sa.text(_KEPT),
    )
    op.create_index("ix_deliveries_status", "deliveries", ["status", "sequence"])
    op.create_index("ix_deliveries_ended_at", "deliveries", ["ended_at"])
