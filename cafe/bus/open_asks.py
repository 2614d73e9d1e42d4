"""What a front has asked and no house has settled yet, so that what was lost is asked again.

Rule: pure. A batch may be lost, repeated or overtaken by another. A front reports which asks are
open, and the house says which of them it does not know: those are sent again, under their numbers,
so that nothing happens twice in one house. Asks belong to one house. When another one owns the
shop, those that were sent fail as in a crash of the actor; what was never sent is sent to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import msgspec

from cafe.bus.batches import Ask, Asks, Open

MOST_IN_BATCH = 256
"""Asks in one entry, so that a backlog does not make one of megabytes."""


class OpenAsks:
    """The asks of one front."""

    def __init__(self, front: str) -> None:
        """Begin without any, and without a house."""
        self.house = ""
        """The name of the house that is asked; empty until one is known."""
        self._front = front
        self._last = 0
        self._unsent: dict[int, Ask] = {}
        self._sent: dict[int, Ask] = {}
        self._cancelled: list[int] = []
        self._given_up: set[int] = set()
        """Cancelled, but their outcomes have not come."""
        self._ended = False
        """Whether any ask was settled since the last report."""

    def __len__(self) -> int:
        return len(self._unsent) + len(self._sent)

    @property
    def has_news(self) -> bool:
        """Whether there is something to send to the house."""
        return bool(self.house and (self._unsent or self._cancelled))

    @property
    def has_open(self) -> bool:
        """Whether a report would tell the house something."""
        return bool(self._sent or self._ended)

    def add(self, of: str, name: str, body: bytes) -> int:
        """Ask for something; return the number of the ask."""
        self._last += 1
        self._unsent[self._last] = Ask(self._last, of, name, msgspec.Raw(body))
        return self._last

    def cancel(self, number: int) -> bool:
        """Give an ask up; return whether the house may have it, so that its outcome will come."""
        if self._unsent.pop(number, None) is not None and number not in self._sent:
            return False
        if number in self._sent:
            self._cancelled.append(number)
            self._given_up.add(number)
        return number in self._sent

    def take(self, *, report: bool = False) -> Asks:
        """Return the next batch; with a report of what is open, as far as it was sent before."""
        opened = None
        if report:
            # What was never sent is none of it; what is sent again is open, as all that was sent.
            never = (number for number in self._unsent if number not in self._sent)
            through = min(never, default=self._last + 1) - 1
            opened = Open(through, [one for one in self._sent if one <= through])
            self._ended = False
        asks = list(islice(self._unsent.values(), MOST_IN_BATCH))
        for ask in asks:
            del self._unsent[ask.number]
            self._sent[ask.number] = ask
        cancelled, self._cancelled = self._cancelled, []
        if report:
            cancelled = sorted(self._given_up)  # the batch that said so may be lost
        return Asks(self.house, self._front, asks, cancelled, opened)

    def settle(self, number: int) -> bool:
        """Note the outcome of an ask; return whether it was open, so that this is the first."""
        was_open = self._sent.pop(number, None) is not None
        self._unsent.pop(number, None)  # it was about to be sent again
        self._given_up.discard(number)
        self._ended = self._ended or was_open
        return was_open

    def repeat(self, number: int) -> None:
        """Send an ask again: the house does not know it."""
        ask = self._sent.get(number)
        if ask is not None:
            self._unsent[number] = ask

    def begin(self, house: str) -> Sequence[int]:
        """Ask another house from now on; return the asks that this fails."""
        self.house = house
        failed = list(self._sent)
        for number in failed:
            self._unsent.pop(number, None)
        self._sent.clear()
        self._cancelled.clear()
        self._given_up.clear()
        return failed
