"""Letters to guests, and each attempt to send one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

STATES = "('held', 'due', 'retrying', 'sent', 'set_aside')"


def upgrade() -> None:
    """Make the tables."""
    _make_letters()
    op.create_table(
        "letter_contents",
        sa.Column("letter_id", sa.String(64), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["letter_id"], ["letters.letter_id"], name=op.f("fk_letter_contents_letter_id")
        ),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("pk_letter_contents")),
    )
    op.create_table(
        "letter_attempts",
        sa.Column("letter_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("said", sa.String(200)),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(
            ["letter_id"], ["letters.letter_id"], name=op.f("fk_letter_attempts_letter_id")
        ),
        sa.PrimaryKeyConstraint("letter_id", "number", name=op.f("pk_letter_attempts")),
    )
    op.create_table(
        "letter_followed",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter_followed")),
    )


def _make_letters() -> None:
    op.create_table(
        "letters",
        sa.Column("letter_id", sa.String(64), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("booking_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("mailbox", sa.String(320), nullable=False),
        sa.Column("message_id", sa.String(320), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Float(53)),
        sa.Column("until", sa.Float(53)),
        sa.Column("ended_at", sa.Float(53)),
        sa.CheckConstraint(f"state IN {STATES}", name=op.f("ck_letters_state")),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("pk_letters")),
        sa.UniqueConstraint("position", name=op.f("uq_letters_position")),
    )
    op.create_index("ix_letters_ended_at", "letters", ["ended_at"])
    op.create_index("ix_letters_due_at", "letters", ["state", "due_at"])
    op.create_index("ix_letters_state", "letters", ["state", "position"])
    op.create_index("ix_letters_booking_id", "letters", ["booking_id", "position"])
    op.create_index("ix_letters_mailbox", "letters", ["mailbox", "state", "position"])
    op.create_index("ix_letters_sent", "letters", ["mailbox", "state", "ended_at"])
