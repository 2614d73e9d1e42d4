"""The batches on the bus: one entry of a stream holds all that was queued when it was sent.

Rule: plain values. A batch may be lost, repeated or overtaken; `open_asks.py` and `reply_cache.py`
make that harmless.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from cafe.ledger.department import Row


class Ask(msgspec.Struct, array_like=True, frozen=True):
    """One request of a front to a house."""

    number: int
    """Counts up from 1 in each front."""
    of: str
    """The name of an actor, or `QUERY` or `CALL`."""
    name: str
    """The class of the message, the path of the query, or the name of the call."""
    body: msgspec.Raw


QUERY = "?"
CALL = "!"


class Open(msgspec.Struct, array_like=True, frozen=True):
    """A report of a front's open asks: all others up to `through` are settled."""

    through: int
    numbers: list[int]


class Asks(msgspec.Struct, array_like=True, frozen=True):
    """A batch from a front to one house."""

    house: str
    front: str
    asks: list[Ask]
    cancelled: list[int]
    open: Open | None = None


class Outcome(IntEnum):
    """How an ask ended, or that the house does not know it."""

    ANSWERED = 0
    REFUSED = 1
    CRASHED = 2
    CANCELLED = 3
    UNKNOWN = 4
    """The ask was lost: the front sends it again."""


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """The outcome of one ask."""

    number: int
    outcome: Outcome
    body: msgspec.Raw


class Answers(msgspec.Struct, array_like=True, frozen=True):
    """A batch from a house to one front."""

    house: str
    answers: list[Answer]


class Changed(msgspec.Struct, array_like=True, frozen=True):
    """A change of a row: a Put of the whole row, or a Drop of a key."""

    is_put: bool
    table: str
    values: Row


class Happened(msgspec.Struct, array_like=True, frozen=True):
    """An event of the log, with its changes."""

    department: str
    event: tuple[Any, ...]
    changes: list[Changed]


class Heartbeat(msgspec.Struct, array_like=True, frozen=True):
    """A batch from the owner to all fronts: it owns the shop, and has committed these events."""

    house: str
    """The name of the house, new at each start."""
    term: int
    """Grows with each owner: a house with a lower term than another has lost the shop."""
    now: float
    """The house's clock, in seconds since the Unix epoch."""
    position: int
    """The position of the last committed event."""
    events: list[Happened]
    """The last events up to `position`; empty if nothing was committed since the last batch."""
