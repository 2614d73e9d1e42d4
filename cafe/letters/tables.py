"""The tables of letters, and how values become rows.

Rule: its own tables only. The fields of a Letter and of an Attempt are the columns of their tables,
in the same order. A message is rendered once and stored, so that each attempt sends the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from cafe.ledger.department import Entry, Event, Put
from cafe.ledger.tables import CONSTANT, metadata, one_of
from cafe.letters.letter import Attempt, Change, Kind, Letter, State

LONGEST_ADDRESS: Final = 320
"""The most characters: 64 before the @, and 255 after it."""
LONGEST_SAID: Final = 200
"""The most characters that are stored of a server's text."""

letters = Table(
    "letters",
    metadata,
    Column("letter_id", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False, unique=True, info=CONSTANT),
    Column("booking_id", String(64), nullable=False, info=CONSTANT),
    Column("kind", String(16), nullable=False, info=CONSTANT),
    Column("address", String(LONGEST_ADDRESS), nullable=False, info=CONSTANT),
    Column("mailbox", String(LONGEST_ADDRESS), nullable=False, info=CONSTANT),
    Column("message_id", String(LONGEST_ADDRESS), nullable=False, info=CONSTANT),
    Column("created_at", Float(53), nullable=False, info=CONSTANT),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("due_at", Float(53)),
    Column("until", Float(53)),
    Column("ended_at", Float(53), index=True),
    CheckConstraint(one_of("state", State), name="state"),
)
# For the next attempts; for managers' lists; for the queue of a mailbox, and what was sent to it.
Index("ix_letters_due_at", letters.c.state, letters.c.due_at)
Index("ix_letters_state", letters.c.state, letters.c.position)
Index("ix_letters_booking_id", letters.c.booking_id, letters.c.position)
Index("ix_letters_mailbox", letters.c.mailbox, letters.c.state, letters.c.position)
Index("ix_letters_sent", letters.c.mailbox, letters.c.state, letters.c.ended_at)

contents = Table(
    "letter_contents",
    metadata,
    Column("letter_id", String(64), ForeignKey("letters.letter_id"), primary_key=True),
    # The whole message (RFC 5322), in ASCII.
    Column("content", Text, nullable=False, info=CONSTANT),
)
attempts = Table(
    "letter_attempts",
    metadata,
    Column("letter_id", String(64), ForeignKey("letters.letter_id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Float(53), nullable=False, info=CONSTANT),
    Column("outcome", String(16), nullable=False, info=CONSTANT),
    Column("said", String(LONGEST_SAID), info=CONSTANT),
    Column("seconds", Float(53), nullable=False, info=CONSTANT),
)
followed = Table(
    "letter_followed",
    metadata,
    # One row: the events up to this position are applied.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

_KIND: Final = Letter._fields.index("kind")
_STATE: Final = Letter._fields.index("state")


def letter_of(row: Sequence[Any]) -> Letter:
    """Return the letter that a row holds."""
    values = list(row)
    values[_KIND], values[_STATE] = Kind(row[_KIND]), State(row[_STATE])
    return Letter._make(values)


def attempt_of(row: Sequence[Any]) -> Attempt:
    """Return the attempt that a row holds."""
    return Attempt._make(row)


def entry_of(change: Change, content: str | None = None) -> Entry:
    """Return a change as an entry of the ledger, with the `content` of a new letter."""
    action, before, one, at, attempt = change
    event = Event(
        one.letter_id,
        action.value,
        None if before is None else before.value,
        one.state.value,
        at,
        reason=None if attempt is None else attempt.outcome,
    )
    row = list(one)
    row[_KIND], row[_STATE] = one.kind.value, one.state.value
    stored = [Put(letters, tuple(row))]
    if content is not None:
        stored.append(Put(contents, (one.letter_id, content)))
    if attempt is not None:
        stored.append(Put(attempts, tuple(attempt)))
    return Entry(event, tuple(stored))


def entry_of_position(position: int) -> Entry:
    """Return the entry that stores the position up to which the log was followed."""
    return Entry(None, (Put(followed, (1, position)),))
