"""A line: ids in the order of numbers, such as the times since when couriers are free.

Rule: pure. It is a sorted list: of a thousand ids one is found, added or removed in a microsecond.
"""

from __future__ import annotations

from bisect import bisect_left, insort


class Line:
    """Ids in the order of numbers."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._places)

    def add(self, place: float, name: str) -> None:
        """Put an id in its place."""
        insort(self._places, (place, name))

    def remove(self, place: float, name: str) -> None:
        """Take an id out of its place; do nothing where it is not there."""
        index = bisect_left(self._places, (place, name))
        if self._places[index : index + 1] == [(place, name)]:
            del self._places[index]

    def first(self) -> tuple[float, str] | None:
        """Return the lowest number, and its id; None where there is none."""
        return self._places[0] if self._places else None
