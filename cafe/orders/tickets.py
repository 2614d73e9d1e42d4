"""Rows of orders, the lowest ticket number first.

Rule: pure. What is asked of a row takes no longer the longer it is: it is kept sorted, and searched
by halves. To add and to remove moves what stands behind, which is a copy of memory.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final

from cafe.orders.order import Order


class Tickets:
    """Some orders, by ticket number; a number is one order's only."""

    __slots__ = ("_sorted",)

    def __init__(self) -> None:
        self._sorted: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._sorted)

    def __iter__(self) -> Iterator[str]:
        """Give the ids of the orders."""
        return (order_id for _, order_id in self._sorted)

    def add(self, order: Order) -> None:
        """Put an order in its place."""
        insort(self._sorted, (order.number, order.order_id))

    def remove(self, order: Order) -> None:
        """Take an order out, which is there."""
        del self._sorted[bisect_left(self._sorted, (order.number, order.order_id))]

    def first(self) -> tuple[int, str]:
        """Give the number and the id of the first; raises IndexError where there is none."""
        return self._sorted[0]

    def position(self, order: Order) -> int:
        """Give 1 for the first; the order is there."""
        return bisect_left(self._sorted, (order.number, order.order_id)) + 1

    def behind(self, number: int, most: int) -> list[str]:
        """Give the ids of the `most` next orders, whose numbers are higher than this one."""
        start = bisect_left(self._sorted, (number + 1, ""))
        return [order_id for _, order_id in self._sorted[start : start + most]]


class Hands:
    """What each barista who has a name has in hand."""

    __slots__ = ("_by_barista",)

    def __init__(self) -> None:
        self._by_barista: dict[str, Tickets] = {}

    def of(self, barista: str) -> Tickets:
        """Give a barista's orders, to look at."""
        return self._by_barista.get(barista, NONE)

    def add(self, order: Order) -> None:
        """Put a claimed order in its barista's hands."""
        if order.barista is not None:
            self._by_barista.setdefault(order.barista, Tickets()).add(order)

    def remove(self, order: Order) -> None:
        """Take it out of them, as it was claimed."""
        if order.barista is not None:
            held = self._by_barista[order.barista]
            held.remove(order)
            if not held:
                del self._by_barista[order.barista]


NONE: Final = Tickets()
