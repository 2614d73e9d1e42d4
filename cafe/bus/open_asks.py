"""The open asks of a front: not yet settled, and sent again if a batch was lost.

Rule: pure. A batch may be lost, repeated or overtaken by another. A front reports which asks are
open, and the house answers which of them it does not know: those are sent again under the same
numbers, so that no ask takes effect twice in one house. Asks belong to one house. When another
house takes over, those that were sent fail as in a crash of the actor; unsent ones are sent to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import msgspec

from cafe.bus.batches import Ask, Asks, Open

MOST_IN_BATCH = 256
"""The limit of asks in one entry, so that a backlog does not make an entry of megabytes."""


class OpenAsks:
    """The asks of one front."""

    def __init__(self, front: str) -> None:
        """Begin with no asks and no house."""
        self.house = ""
        """The name of the current house; empty until one is known."""
        self._front = front
        self._last = 0
        self._unsent: dict[int, Ask] = {}
        self._sent: dict[int, Ask] = {}
        self._cancelled: list[int] = []
        self._given_up: set[int] = set()
        """Cancelled, and not yet settled."""
        self._ended = False
        """Whether any ask was settled since the last report."""

    def __len__(self) -> int:
        return len(self._unsent) + len(self._sent)

    @property
    def has_news(self) -> bool:
        """Whether there are asks or cancellations to send, and a house."""
        return bool(self.house and (self._unsent or self._cancelled))

    @property
    def has_open(self) -> bool:
        """Whether a report would be news to the house."""
        return bool(self._sent or self._ended)

    def add(self, of: str, name: str, body: bytes) -> int:
        """Queue an ask to be sent; return its number."""
        self._last += 1
        self._unsent[self._last] = Ask(self._last, of, name, msgspec.Raw(body))
        return self._last

    def cancel(self, number: int) -> bool:
        """Cancel an ask; return whether the house may have it, so that an outcome will follow."""
        if self._unsent.pop(number, None) is not None and number not in self._sent:
            return False
        if number in self._sent:
            self._cancelled.append(number)
            self._given_up.add(number)
        return number in self._sent

    def take(self, *, report: bool = False) -> Asks:
        """Return the next batch, on request with a report of the asks open in earlier batches."""
        opened = None
        if report:
            # An ask that was never sent is left out; one that is to be sent again is open.
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
            cancelled = sorted(self._given_up)  # the batch with a cancellation may be lost
        return Asks(self.house, self._front, asks, cancelled, opened)

    def settle(self, number: int) -> bool:
        """Settle an ask; return whether it was open, so that this is its first outcome."""
        was_open = self._sent.pop(number, None) is not None
        self._unsent.pop(number, None)  # it was about to be sent again
        self._given_up.discard(number)
        self._ended = self._ended or was_open
        return was_open

    def repeat(self, number: int) -> None:
        """Queue an ask again that the house does not know, if it is open."""
        ask = self._sent.get(number)
        if ask is not None:
            self._unsent[number] = ask

    def begin(self, house: str) -> Sequence[int]:
        """Ask another house from now on; return the numbers of the asks that fail by it."""
        self.house = house
        failed = list(self._sent)
        for number in failed:
            self._unsent.pop(number, None)
        self._sent.clear()
        self._cancelled.clear()
        self._given_up.clear()
        return failed
