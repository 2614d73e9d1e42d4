"""Accounts, their sign-ins, and tokens for programs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ROLES = "('customer', 'barista', 'courier', 'manager')"
NOT_CUSTOMERS = sa.text("role <> 'customer'")
GRANTED = sa.text("status = 'granted'")


def upgrade() -> None:
    """Make the tables."""
    _make_accounts()
    _make_sign_ins()
    _make_tokens()


def _make_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
        sa.Column("username", sa.Text),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("registered_at", sa.Float(53), nullable=False),
        sa.CheckConstraint(f"role IN {ROLES}", name=op.f("ck_accounts_role")),
        sa.CheckConstraint("status IN ('active', 'disabled')", name=op.f("ck_accounts_status")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("folded", name=op.f("uq_accounts_folded")),
    )
    op.create_index(
        "ix_accounts_staff",
        "accounts",
        ["folded"],
        sqlite_where=NOT_CUSTOMERS,
        postgresql_where=NOT_CUSTOMERS,
    )


def _make_sign_ins() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("sign_in_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started_at", sa.Float(53), nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("issued_at", sa.Float(53), nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("ended_at", sa.Float(53)),
        sa.CheckConstraint(
            "status IN ('signed in', 'signed out')", name=op.f("ck_sign_ins_status")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_sign_ins_account_id")
        ),
        sa.PrimaryKeyConstraint("sign_in_id", name=op.f("pk_sign_ins")),
    )
    op.create_index("ix_sign_ins_issued_at", "sign_ins", ["issued_at"])


def _make_tokens() -> None:
    op.create_table(
        "program_tokens",
        sa.Column("token_id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("granted_at", sa.Float(53), nullable=False),
        sa.Column("granted_by", sa.Text),
        sa.Column("revoked_at", sa.Float(53)),
        sa.CheckConstraint("role IN ('barista', 'manager')", name=op.f("ck_program_tokens_role")),
        sa.CheckConstraint(
            "status IN ('granted', 'revoked')", name=op.f("ck_program_tokens_status")
        ),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_program_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_program_tokens_token_hash")),
    )
    op.create_index(
        "ix_program_tokens_name",
        "program_tokens",
        ["name"],
        unique=True,
        sqlite_where=GRANTED,
        postgresql_where=GRANTED,
    )
    op.create_table(
        "token_secret",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_secret")),
    )
