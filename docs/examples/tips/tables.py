"""The tables of tips, and how values become rows.

Rule: tables of its own only, of orders too: there is a row for each that the log has told of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
)

from cafe.ledger.department import Entry, Event, Put
from cafe.ledger.tables import CONSTANT
from docs.examples.tips.metadata import metadata
from docs.examples.tips.tip import Brew, Change, Status, Tip

brews = Table(
    "tip_brews",
    metadata,
    Column("order_id", String(64), primary_key=True),
    Column("barista", Text, nullable=False),
    Column("outcome", String(16)),
    Column("ended_at", Float(53), index=True),
)
tips = Table(
    "tips",
    metadata,
    Column("tip_id", String(64), primary_key=True),
    # One tip for each order: the database refuses a second one.
    Column(
        "order_id",
        String(64),
        ForeignKey("tip_brews.order_id"),
        nullable=False,
        unique=True,
        info=CONSTANT,
    ),
    Column("cents", BigInteger, nullable=False, info=CONSTANT),
    Column("given_at", Float(53), nullable=False, info=CONSTANT),
    Column("status", String(16), nullable=False),
    Column("barista", Text),
    Column("settled_at", Float(53)),
    CheckConstraint("cents > 0", name="cents"),
)
totals = Table(
    "tip_totals",
    metadata,
    Column("barista", Text, primary_key=True),
    Column("cents", BigInteger, nullable=False),
)
followed = Table(
    "tip_followed",
    metadata,
    # One row: the events up to this position have had their effects.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

_STATUS = Tip._fields.index("status")


def tip_of(row: Sequence[Any]) -> Tip:
    """Give the tip that a row holds."""
    return Tip._make((*row[:_STATUS], Status(row[_STATUS]), *row[_STATUS + 1 :]))


def entry_of(change: Change) -> Entry:
    """Say a change as the ledger keeps it; the subject is the order whose tip it is."""
    action, before, tip, at, total = change
    event = Event(
        tip.order_id,
        action.value,
        None if before is None else before.value,
        tip.status.value,
        at,
        by=tip.barista,
    )
    row = (*tip[:_STATUS], tip.status.value, *tip[_STATUS + 1 :])
    if total is None:
        return Entry(event, (Put(tips, row),))
    return Entry(event, (Put(tips, row), Put(totals, (tip.barista, total))))


def entry_of_brews(of: Sequence[Brew], position: int) -> Entry:
    """Say what the events up to a position have told of orders."""
    return Entry(None, (*(Put(brews, tuple(brew)) for brew in of), Put(followed, (1, position))))
