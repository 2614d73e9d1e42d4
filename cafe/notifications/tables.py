"""The tables of notifications, and how values become rows.

Rule: its own tables only. The fields of a Notification and of an Attempt are the columns of their
tables, in the same order. `notification_counts` is written in the same commits as notifications.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from cafe.ledger.department import Entry, Event, Put
from cafe.ledger.tables import CONSTANT, metadata, one_of
from cafe.notifications.notification import Attempt, Change, Notification, State, Topic

notifications = Table(
    "notifications",
    metadata,
    Column("event_id", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False, unique=True, info=CONSTANT),
    Column("topic", String(16), nullable=False, info=CONSTANT),
    Column("subject_id", String(64), nullable=False, info=CONSTANT),
    Column("sequence", BigInteger, nullable=False, info=CONSTANT),
    Column("details", Text, nullable=False, info=CONSTANT),
    Column("status", String(32), nullable=False, info=CONSTANT),
    Column("occurred_at", Float(53), nullable=False, info=CONSTANT),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("due_at", Float(53)),
    Column("delivered_at", Float(53), index=True),
    UniqueConstraint("topic", "subject_id", "sequence"),
    CheckConstraint(one_of("state", State), name="state"),
    CheckConstraint(one_of("topic", Topic), name="topic"),
)
# For the next attempts, and for managers' lists.
Index(
    "ix_notifications_due_at", notifications.c.topic, notifications.c.state, notifications.c.due_at
)
Index("ix_notifications_state", notifications.c.state, notifications.c.position)

attempts = Table(
    "notification_attempts",
    metadata,
    Column("event_id", String(64), ForeignKey("notifications.event_id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Float(53), nullable=False, info=CONSTANT),
    Column("outcome", String(16), nullable=False, info=CONSTANT),
    Column("seconds", Float(53), nullable=False, info=CONSTANT),
)
counts = Table(
    "notification_counts",
    metadata,
    Column("state", String(16), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
followed = Table(
    "notification_followed",
    metadata,
    # By topic: its events up to this position are applied.
    Column("topic", String(16), primary_key=True),
    Column("position", BigInteger, nullable=False),
    # Whether its events are followed at all: without a URL they are not.
    Column("follows", Boolean, nullable=False),
)


def notification_of(row: Sequence[Any]) -> Notification:
    """Return the notification that a row holds."""
    one = Notification._make(row)
    return one._replace(topic=Topic(one.topic), state=State(one.state))


def attempt_of(row: Sequence[Any]) -> Attempt:
    """Return the attempt that a row holds."""
    return Attempt._make(row)


def entry_of(change: Change) -> Entry:
    """Return a change as an entry of the ledger; its subject is the notification."""
    action, before, one, at, attempt = change
    event = Event(
        one.event_id,
        action.value,
        None if before is None else before.value,
        one.state.value,
        at,
        reason=None if attempt is None else attempt.outcome,
    )
    row = tuple(value.value if isinstance(value, StrEnum) else value for value in one)
    stored = Put(notifications, row)
    if attempt is None:
        return Entry(event, (stored,))
    return Entry(event, (stored, Put(attempts, tuple(attempt))))


def entry_of_positions(positions: Mapping[Topic, int], *, follows: bool = True) -> Entry:
    """Return the entry that stores the positions up to which topics were followed."""
    rows = ((topic.value, position, follows) for topic, position in positions.items())
    return Entry(None, tuple(Put(followed, row) for row in rows))


def entries_of(changes: Sequence[Change], before: Mapping[State, int]) -> list[Entry]:
    """Return changes as entries; the last one also stores the counts, which were `before`."""
    after = Counter(before)
    for change in changes:
        if change.before is not None:
            after[change.before] -= 1
        after[change.notification.state] += 1
    entries = [entry_of(change) for change in changes]
    event, stored = entries[-1]
    changed = [state for state in State if before.get(state, 0) != after[state]]
    numbers = (Put(counts, (state.value, after[state])) for state in changed)
    return [*entries[:-1], Entry(event, (*stored, *numbers))]
