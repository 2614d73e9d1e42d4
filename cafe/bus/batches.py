"""What is in one entry of a stream: everything that had gathered when it was sent.

Rule: plain values. A batch may be lost, repeated or overtaken, and no reader may be harmed by that:
`open_asks.py` and `reply_cache.py` say how.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from cafe.ledger.department import Row


class Ask(msgspec.Struct, array_like=True, frozen=True):
    """One thing that a front wants of a house."""

    number: int
    """1, 2, 3 and so on in each front."""
    of: str
    """The name of an actor, or `QUERY` or `CALL`."""
    name: str
    """The class of the message, the path of the query, or what is called."""
    body: msgspec.Raw


QUERY = "?"
CALL = "!"


class Open(msgspec.Struct, array_like=True, frozen=True):
    """Which asks of a front are not settled: all others up to `through` are."""

    through: int
    numbers: list[int]


class Asks(msgspec.Struct, array_like=True, frozen=True):
    """What a front sends to one house."""

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
    """It was lost on the way: the front sends it again."""


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """What came of one ask."""

    number: int
    outcome: Outcome
    body: msgspec.Raw


class Answers(msgspec.Struct, array_like=True, frozen=True):
    """What a house sends to a front."""

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
    """What a house tells all fronts: that it owns the shop, and what was committed."""

    house: str
    """Its name, new at each start."""
    term: int
    """Grows from owner to owner: a house with a lower one than another owns nothing any more."""
    now: float
    """The house's clock, in seconds since the Unix epoch."""
    position: int
    """Of the last committed event."""
    events: list[Happened]
    """The last events up to `position`; empty where nothing was committed since."""
