"""The asks of one front and their answers, so that a repeated ask takes effect once.

Rule: pure. An ask that is repeated is not begun again: it still runs, or its answer is sent again,
or it is settled and nothing is to be done. An answer is kept until the front reports that it has
it. Which numbers are settled, the newest report says: all up to a number, but for those that are
open. So what is kept is bounded by what is open, however long one of them is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cafe.bus.batches import Answer, Ask, Open


class Due(NamedTuple):
    """What a report asks of a house."""

    unknown: Sequence[int] = ()
    """Asks that have not come: the front sends them again."""
    answers: Sequence[Answer] = ()
    """What it was sent before its last report, and has not had: they are sent again."""
    given_up: Sequence[int] = ()
    """Asks that run though the front does not wait for them any more: they are cancelled."""


class ReplyCache:
    """The asks of one front in one house."""

    def __init__(self) -> None:
        """Begin with a front that has not asked anything of this house."""
        self._running: set[int] = set()
        self._answers: dict[int, Answer] = {}
        self._through = 0
        """All up to this are settled, but for those that are open: the newest report."""
        self._open: frozenset[int] = frozenset()
        self._late: frozenset[int] = frozenset()
        """Answered before the newest report, and open in it."""
        self._cancelled_before: set[int] = set()
        """Cancelled before they came."""

    def __len__(self) -> int:
        """Return how many numbers are kept."""
        return sum(map(len, (self._running, self._answers, self._open, self._cancelled_before)))

    def begin(self, asks: Iterable[Ask]) -> Iterator[Ask | Answer]:
        """Yield the asks that are new, to be run; and the answers of those that come again."""
        for ask in asks:
            number = ask.number
            if number in self._answers:
                yield self._answers[number]
            elif not self._is_known(number):
                self._running.add(number)
                yield ask

    def cancel(self, numbers: Iterable[int]) -> Sequence[int]:
        """Return which of these run, and are to be cancelled."""
        found: list[int] = []
        for number in numbers:
            if number in self._running:
                found.append(number)
            elif not self._is_known(number):
                self._cancelled_before.add(number)
        return found

    def is_cancelled(self, number: int) -> bool:
        """Return whether an ask that is about to run was cancelled before it came."""
        if number not in self._cancelled_before:
            return False
        self._cancelled_before.discard(number)
        return True

    def end(self, answer: Answer) -> None:
        """Keep the answer of an ask that has run."""
        self._running.discard(answer.number)
        self._answers[answer.number] = answer

    def report(self, opened: Open) -> Due:
        """Take a front's report; return what is to be done. One that was overtaken asks nothing."""
        is_open = frozenset(opened.numbers)
        if (opened.through, -len(is_open)) < (self._through, -len(self._open)):
            return Due()
        self._through, self._open = opened.through, is_open
        for number in [one for one in self._answers if self._is_settled(one)]:
            del self._answers[number]
        self._cancelled_before = {
            one for one in self._cancelled_before if not self._is_settled(one)
        }
        # An answer may cross the report; where the next one has it open still, it was lost.
        late = is_open & self._answers.keys()
        lost, self._late = late & self._late, late
        return Due(
            [one for one in opened.numbers if not self._is_known(one)],
            [self._answers[one] for one in sorted(lost)],
            [one for one in self._running if self._is_settled(one)],
        )

    def runs(self, number: int) -> bool:
        """Return whether an ask was begun and has not ended."""
        return number in self._running

    def _is_settled(self, number: int) -> bool:
        return number <= self._through and number not in self._open

    def _is_known(self, number: int) -> bool:
        return number in self._running or number in self._answers or self._is_settled(number)
