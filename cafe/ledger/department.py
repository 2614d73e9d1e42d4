"""What a department gives the ledger: its events, its rows, and how to load and check them.

Rule: values only. The ledger compares and stores them, and never interprets them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, Executable, Select, Table

S = TypeVar("S")
Row = tuple[Any, ...]
"""Values in the order of the table's columns; text, numbers, booleans and None only."""
Transitions = Mapping[tuple[str | None, str], str]
"""The status after, by the status before and the action; None is before the first event."""
StatusT = TypeVar("StatusT", bound=StrEnum)
BeforeT = TypeVar("BeforeT", bound=StrEnum | None)
ActionT = TypeVar("ActionT", bound=StrEnum)


def transitions_of(
    table: Mapping[tuple[BeforeT, ActionT], StatusT], begin: Mapping[ActionT, StatusT] | None = None
) -> Transitions:
    """Return a model's table as transitions.

    `begin` has the first actions of its subjects, if the table has no rows for them.
    """
    transitions: dict[tuple[str | None, str], str] = {
        (None, action.value): status.value for action, status in (begin or {}).items()
    }
    for (before, action), after in table.items():
        transitions[None if before is None else before.value, action.value] = after.value
    return transitions


class Event(NamedTuple):
    """Something that happened to one subject of a department."""

    subject: str
    """The id of an order, a booking, ..."""
    action: str
    before: str | None
    """The status before; None for a subject's first event."""
    after: str
    at: float
    """Seconds since the Unix epoch."""
    by: str | None = None
    """The person who did it, if known."""
    reason: str | None = None
    """Why, if the action does not say it."""
    data: str | None = None
    """JSON for followers."""


class Put(NamedTuple):
    """Insert a row, or replace the one with the same primary key."""

    table: Table
    row: Row


class Drop(NamedTuple):
    """Delete the row with this primary key, if there is one."""

    table: Table
    key: Row


class Entry(NamedTuple):
    """One event, and its changes to the department's tables.

    A follower that only stores its position has no event.
    """

    event: Event | None
    changes: tuple[Put | Drop, ...] = ()


class Logged(NamedTuple):
    """A committed event."""

    position: int
    """1, 2, 3 and so on over the whole log, without gaps."""
    department: str
    event: Event
    changes: tuple[Put | Drop, ...] = ()
    """Empty if the event was read back from the database."""


def _nothing(_before: float) -> None:
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Department(Generic[S]):
    """A department, as far as the ledger needs to know it."""

    name: str
    tables: tuple[Table, ...]
    """Its own, each after those that it refers to."""
    load: Callable[[Connection], S]
    """Reads the state that its actor starts from."""
    transitions: Transitions
    """The transitions that its events may make."""
    checks: Mapping[str, Executable] = field(default_factory=dict[str, Executable])
    """Queries for the rows that break a sentence, by sentence; each has a column `subject`."""
    ended: Callable[[float], Select[Any] | None] = _nothing
    """Selects the subjects that ended before a time, which `prune` may delete."""
    prune: tuple[Callable[[Sequence[str]], Executable], ...] = ()
    """Statements that delete the rows of some subjects, children first."""
    followed: Select[Any] | None = None
    """Selects the position up to which it has followed the log, if it follows it: `prune` keeps
    later events."""
    remembers: bool = True
    """Whether its actor keeps state in memory, and so has to reload after a row was refused."""
