"""What a house has been asked by one front, so that no ask takes effect twice.

Rule: pure. An ask that comes again is not begun again: it runs still, or its answer is sent again,
or it is settled and nothing is to be done. An answer is kept until the front reports that it has
it; a number, until all before it are settled. So what is kept is bounded by what is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cafe.bus.batches import Answer, Ask, Open


class Answered:
    """The asks of one front in one house."""

    def __init__(self) -> None:
        """Begin with a front that has not asked anything of this house."""
        self._running: set[int] = set()
        self._answers: dict[int, Answer] = {}
        self._settled: set[int] = set()
        """Those above `_through`."""
        self._through = 0
        """All up to this are settled, but for those that run or are answered."""
        self._cancelled_before: set[int] = set()
        """Cancelled before they came."""

    def __len__(self) -> int:
        """Return how many numbers are kept."""
        kept = len(self._running) + len(self._answers)
        return kept + len(self._settled) + len(self._cancelled_before)

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

    def report(self, opened: Open) -> Sequence[int]:
        """Take a front's report; return which of its open asks are not known here."""
        open_ones = set(opened.numbers)
        for number in [one for one in self._answers if one <= opened.through]:
            if number not in open_ones:
                del self._answers[number]
                self._settled.add(number)
        lowest = min(opened.numbers, default=opened.through + 1) - 1
        self._through = max(self._through, lowest)
        self._settled = {one for one in self._settled if one > self._through}
        self._cancelled_before = {one for one in self._cancelled_before if one > self._through}
        return [one for one in opened.numbers if not self._is_known(one)]

    def given_up(self, opened: Open) -> Sequence[int]:
        """Return which asks run here though their front does not wait for them any more."""
        open_ones = set(opened.numbers)
        return [one for one in self._running if one <= opened.through and one not in open_ones]

    @property
    def running(self) -> Sequence[int]:
        """The asks that run."""
        return sorted(self._running)

    def _is_known(self, number: int) -> bool:
        return (
            number <= self._through
            or number in self._running
            or number in self._answers
            or number in self._settled
        )
