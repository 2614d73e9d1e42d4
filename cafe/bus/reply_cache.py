"""The asks of one front and their answers, so that a repeated ask takes effect once.

Rule: pure. A repeated ask is not started again: it still runs, or its cached answer is sent again,
or it is settled and ignored. An answer is cached until the front reports that it has arrived. The
newest report defines which numbers are settled: all up to a number, except those listed as open. So
the cache is bounded by the number of open asks, however long one of them stays open.

A house forgets a front that has disconnected, with all but the last of its numbers. If the front
comes back, its open asks up to that number are not started again: they may have taken effect, and
fail as in a crash of the actor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cafe.bus.batches import Answer, Ask, Open


class Due(NamedTuple):
    """What a house has to do after a report."""

    unknown: Sequence[int] = ()
    """Asks that have not arrived: the front is told to send them again."""
    answers: Sequence[Answer] = ()
    """Answers from before the previous report that have not arrived: they are sent again."""
    forgotten: Sequence[int] = ()
    """Asks that may have taken effect before the front was forgotten: they fail."""
    given_up: Sequence[int] = ()
    """Asks that run although the front has settled them: they are cancelled."""


class ReplyCache:
    """The asks of one front in one house."""

    def __init__(self, forgotten: int = 0) -> None:
        """Begin without asks; those up to `forgotten` arrived before the front was forgotten."""
        self.last = forgotten
        """The highest number that has arrived."""
        self._forgotten = forgotten
        self._running: set[int] = set()
        self._answers: dict[int, Answer] = {}
        self._through = 0
        """All numbers up to this one are settled, except the open ones, by the newest report."""
        self._open: frozenset[int] = frozenset()
        self._late: frozenset[int] = frozenset()
        """Answered before the newest report, and open in it."""
        self._cancelled_before: set[int] = set()
        """Cancelled before they arrived."""

    def __len__(self) -> int:
        """Return how many numbers are kept."""
        return sum(map(len, (self._running, self._answers, self._open, self._cancelled_before)))

    def begin(self, asks: Iterable[Ask]) -> Iterator[Ask | Answer]:
        """Yield each new ask, to be run, and the cached answer of each repeated one."""
        for ask in asks:
            number = ask.number
            if number in self._answers:
                yield self._answers[number]
            elif self._is_new(number):
                self._running.add(number)
                self.last = max(self.last, number)
                yield ask

    def cancel(self, numbers: Iterable[int]) -> Sequence[int]:
        """Return those of these asks that run, to be cancelled by the caller."""
        found: list[int] = []
        for number in numbers:
            if number in self._running:
                found.append(number)
            elif self._is_new(number):
                self._cancelled_before.add(number)
        return found

    def is_cancelled(self, number: int) -> bool:
        """Return whether an ask that is about to run was cancelled before it arrived."""
        if number not in self._cancelled_before:
            return False
        self._cancelled_before.discard(number)
        return True

    def end(self, answer: Answer) -> None:
        """Cache the answer of an ask that has run."""
        self._running.discard(answer.number)
        self._answers[answer.number] = answer

    def report(self, opened: Open) -> Due:
        """Apply a front's report; return what is to be done. An overtaken report has no effect."""
        is_open = frozenset(opened.numbers)
        if (opened.through, -len(is_open)) < (self._through, -len(self._open)):
            return Due()
        self._through, self._open = opened.through, is_open
        for number in [one for one in self._answers if self._is_settled(one)]:
            del self._answers[number]
        self._cancelled_before = {
            one for one in self._cancelled_before if not self._is_settled(one)
        }
        # An answer may cross the report; if the ask is open in the next one too, it was lost.
        late = is_open & self._answers.keys()
        lost, self._late = late & self._late, late
        return Due(
            [one for one in opened.numbers if self._is_new(one)],
            [self._answers[one] for one in sorted(lost)],
            [one for one in opened.numbers if not (self._is_new(one) or self._is_known(one))],
            [one for one in self._running if self._is_settled(one)],
        )

    def runs(self, number: int) -> bool:
        """Return whether an ask has started and not ended."""
        return number in self._running

    def _is_new(self, number: int) -> bool:
        return number > self._forgotten and not self._is_known(number)

    def _is_settled(self, number: int) -> bool:
        return number <= self._through and number not in self._open

    def _is_known(self, number: int) -> bool:
        return number in self._running or number in self._answers or self._is_settled(number)
