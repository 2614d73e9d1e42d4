"""The playlist: what is wished for, and what is played next.

Rule: pure. Most wishes first, and of equals the one wished for first; one wish for each order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wished:
    """A song, and how many wishes there are for it."""

    song: str
    wishes: int


class HasWishedError(Exception):
    """The order has a wish on the list."""

    def __init__(self, song: str) -> None:
        super().__init__(f"wished already: {song}")
        self.song = song


class Playlist:
    """The wishes that have not been played."""

    def __init__(self) -> None:
        # By order, the earliest first.
        self._wishes: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._wishes)

    def songs(self) -> tuple[Wished, ...]:
        """List the songs, the next one first."""
        # most_common keeps equals in the order in which they were first counted.
        return tuple(Wished(*song) for song in Counter(self._wishes.values()).most_common())

    def add(self, order_id: str, song: str) -> Wished:
        """Add an order's wish; raise HasWishedError if it has one already."""
        if order_id in self._wishes:
            raise HasWishedError(self._wishes[order_id])
        self._wishes[order_id] = song
        return Wished(song, list(self._wishes.values()).count(song))

    def withdraw(self, order_id: str) -> bool:
        """Take an order's wish off the list; return whether there was one."""
        return self._wishes.pop(order_id, None) is not None

    def take_next(self) -> Wished | None:
        """Take the next song off the list, with all wishes for it; None if the list is empty."""
        if not self._wishes:
            return None
        first = self.songs()[0]
        self._wishes = {order: song for order, song in self._wishes.items() if song != first.song}
        return first
