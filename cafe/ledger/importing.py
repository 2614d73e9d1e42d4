"""What the departments' imports have in common: who did it, what is refused, and when it happened.

Rule: history keeps its times, and the log goes by them: what a file tells of many subjects is
sorted by time before it is written, whichever department it belongs to.
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
    """A record cannot be taken over."""

    def __init__(self, sentence: str, *place: str | int) -> None:
        """Say why, and which member of the record is wrong."""
        super().__init__(sentence)
        self.sentence = sentence
        self.place: Place = place


class Times(NamedTuple):
    """When what is imported has happened, so that the log's times never go back a little.

    The log takes a time that goes back by more than MOST_AHEAD for a clock that was set right, and
    any less for damage. So what happened shortly before the last event counts as at its time.
    """

    now: float
    last: float
    """The time of the last event in the log; 0 where there is none."""

    @classmethod
    def after(cls, last: Logged | None, clock: float) -> Times:
        """Return the times behind the last event, by the machine's clock."""
        at = 0.0 if last is None else last.event.at
        return cls(max(clock, at) if at <= clock + MOST_AHEAD else clock, at)

    def of(self, at: float) -> float:
        """Return when something happened, in the log."""
        return self.last if self.last - MOST_AHEAD < at < self.last else at


class Made(NamedTuple):
    """An entry of a department, with the time by which it is sorted."""

    at: float
    department: str
    entry: Entry


def made(department: str, entries: Sequence[Entry], now: float) -> list[Made]:
    """Return what one record makes in a department, with its times.

    Its rows are written once, with the first entry, as the last one leaves them: all is one
    transaction. What is no event happens now.
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
    """Yield all entries sorted by their times, some at once, as a store writes them.

    What has the same time stays as it was given.
    """
    in_time = sorted(entries, key=itemgetter(0))
    for some in in_parts(in_time, AT_ONCE):
        yield [
            Unit(department, tuple(one.entry for one in group))
            for department, group in groupby(some, key=itemgetter(1))
        ]
