"""What has happened and is not in the ledger yet, and who may be told of it only then.

Rule: pure, and first in, first out. A promise depends on all that has happened before it was made,
so nobody is told of anything that a crash could undo.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import merge
from math import inf
from typing import NamedTuple

from cafe.ledger.messages import Record
from cafe.orders.messages import Batch
from cafe.orders.order import Change
from cafe.orders.records import record_of


class Promise(NamedTuple):
    """What is to be done once the ledger has got so far, or if it does not in time."""

    sequence: int
    due: float
    """Infinite, if it is never given up."""
    keep: Callable[[], object]
    give_up: Callable[[], object]


class Outbox:
    """Records by sequence: those that wait, those that are on their way, and the promises."""

    def __init__(self, epoch: int, last_sequence: int) -> None:
        self.epoch = epoch
        self._last = self._kept = last_sequence
        self._waiting: list[Record] = []
        self._promises: deque[Promise] = deque()
        self._patient: deque[Promise] = deque()

    def __len__(self) -> int:
        """Give the number of records that are not in the ledger yet."""
        return self._last - self._kept

    @property
    def has_records(self) -> bool:
        """Whether there is something to be taken to the ledger."""
        return bool(self._waiting)

    def add(self, change: Change) -> None:
        """Write down what has happened."""
        self._last += 1
        self._waiting.append(record_of(self._last, change))

    def take(self) -> Batch:
        """Give what has gathered, to be taken to the ledger."""
        records, self._waiting = tuple(self._waiting), []
        return Batch(self.epoch, self._last, records)

    def promise(
        self, keep: Callable[[], object], give_up: Callable[[], object], due: float
    ) -> None:
        """Have something done once all that has happened so far is in the ledger.

        `due` may not be earlier than that of the promise before, unless one is infinite.
        """
        promises = self._promises if due < inf else self._patient
        promises.append(Promise(self._last, due, keep, give_up))

    def kept(self, epoch: int, sequence: int) -> list[Promise]:
        """Note how far the ledger is; give the promises that can be kept."""
        if epoch != self.epoch:
            return []
        self._kept = sequence
        ripe = _pop(self._promises, lambda promise: promise.sequence <= sequence)
        patient = _pop(self._patient, lambda promise: promise.sequence <= sequence)
        return list(merge(ripe, patient, key=lambda promise: promise.sequence))

    def overdue(self, now: float) -> list[Promise]:
        """Give the promises that could not be kept in time."""
        return _pop(self._promises, lambda promise: promise.due <= now)

    def patient(self) -> list[Promise]:
        """Give the promises that would never be given up."""
        return _pop(self._patient, lambda _promise: True)

    def next_due(self) -> float | None:
        """Give the time when the first promise is to be given up."""
        return self._promises[0].due if self._promises else None


def _pop(promises: deque[Promise], ripe: Callable[[Promise], bool]) -> list[Promise]:
    popped: list[Promise] = []
    while promises and ripe(promises[0]):
        popped.append(promises.popleft())
    return popped
