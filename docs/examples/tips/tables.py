"""The tables of tips, and how values become rows.

Rule: its own tables only. What it has to know of orders is a row for each that the log told of.
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
    MetaData,
    String,
    Table,
    Text,
)

from cafe.ledger.department import Entry, Event, Put
from cafe.ledger.tables import CONSTANT
from cafe.ledger.tables import metadata as of_the_cafe
from docs.examples.tips.tip import Brew, Change, Status, Tip

metadata = MetaData(naming_convention=of_the_cafe.naming_convention)
"""An example has its own. A department of the house adds its tables to the café's,
`cafe.ledger.tables.metadata`, which its migrations are held against."""

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
    """Return the tip that a row holds."""
    return Tip._make((*row[:_STATUS], Status(row[_STATUS]), *row[_STATUS + 1 :]))


def entry_of(change: Change) -> Entry:
    """Return a change as the ledger keeps it; its subject is the order of the tip."""
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
    """Return what the events up to a position have told of orders, as the ledger keeps it."""
    return Entry(None, (*(Put(brews, tuple(brew)) for brew in of), Put(followed, (1, position))))
