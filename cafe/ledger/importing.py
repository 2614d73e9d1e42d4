"""Shared by the departments' imports: the `by` of events, the error for a record, and the times.

Rule: history keeps its times, and the log is ordered by them: the entries of all departments are
sorted by time before they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

from cafe.ledger.department import Entry, Logged, Put
from cafe.ledger.log import MOST_AHEAD
from cafe.ledger.parts import in_parts
from cafe.ledger.statements import latest
from cafe.ledger.store import Unit

WHO: Final = "import"
"""The `by` of all events of an import."""
AT_ONCE: Final = 1_000
"""Entries that are written between two reports of progress."""
Place = tuple[str | int, ...]
"""Where a member stands, in its record or its file: `("users", 3, "email")`."""


class WrongRecordError(Exception):
    """A record cannot be imported."""

    def __init__(self, sentence: str, *place: str | int) -> None:
        """Say why, and which member of the record is wrong."""
        super().__init__(sentence)
        self.sentence = sentence
        self.place: Place = place


class Times(NamedTuple):
    """The times of imported events, adjusted so that the log's times never go back a little.

    In the log, a time that goes back by more than MOST_AHEAD is a clock that was set right, and a
    smaller step is damage. So an event shortly before the last one gets the last one's time.
    """

    now: float
    last: float
    """The time of the last event in the log; 0 if there is none."""

    @classmethod
    def after(cls, last: Logged | None, clock: float) -> Times:
        """Return the times after the last event, by the machine's clock."""
        at = 0.0 if last is None else last.event.at
        return cls(max(clock, at) if at <= clock + MOST_AHEAD else clock, at)

    def of(self, at: float) -> float:
        """Return the time in the log of an event at this time."""
        return self.last if self.last - MOST_AHEAD < at < self.last else at


class Made(NamedTuple):
    """An entry of a department, with the time by which it is sorted."""

    at: float
    department: str
    entry: Entry


def made(department: str, entries: Sequence[Entry], now: float) -> list[Made]:
    """Return the entries of one record in a department, with their times.

    Rows are written once, with the first entry, in their last state: all is one transaction. An
    entry without an event has the time `now`.
    """
    if not entries:
        return []
    rows = latest(entries).puts
    changes = tuple(Put(table, row) for table, some in rows for row in some)
    first, *others = entries
    kept = [Entry(first.event, changes)]
    kept += [Entry(one.event) for one in others if one.event is not None]
    return [Made(now if one.event is None else one.event.at, department, one) for one in kept]


def units_of(entries: Iterable[Made]) -> Iterator[list[Unit]]:
    """Yield all entries as units for a store, sorted by time, AT_ONCE entries in each list.

    Entries of the same time keep their sequence.
    """
    in_time = sorted(entries, key=itemgetter(0))
    for some in in_parts(in_time, AT_ONCE):
        yield [
            Unit(department, tuple(one.entry for one in group))
            for department, group in groupby(some, key=itemgetter(1))
        ]
