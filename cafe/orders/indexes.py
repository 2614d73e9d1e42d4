"""How the order book finds its orders: by ticket number, by key, and which it may forget.

Rule: pure, and no decisions: the order book keeps one of each in step with its orders.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final

from cafe.orders.order import Order


class Tickets:
    """Some orders, sorted by ticket number; no two have the same."""

    __slots__ = ("_sorted",)

    def __init__(self) -> None:
        self._sorted: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._sorted)

    def __iter__(self) -> Iterator[str]:
        """Return the ids of the orders."""
        return (order_id for _, order_id in self._sorted)

    def add(self, order: Order) -> None:
        """Insert an order."""
        insort(self._sorted, (order.number, order.order_id))

    def remove(self, order: Order) -> None:
        """Remove an order, which must be there."""
        del self._sorted[bisect_left(self._sorted, (order.number, order.order_id))]

    def first(self) -> tuple[int, str]:
        """Return the number and the id of the first; raises IndexError where there is none."""
        return self._sorted[0]

    def position(self, order: Order) -> int:
        """Return 1 for the first; the order must be there."""
        return bisect_left(self._sorted, (order.number, order.order_id)) + 1

    def behind(self, number: int, most: int) -> list[str]:
        """Return the ids of the `most` next orders, whose numbers are higher than this one."""
        start = bisect_left(self._sorted, (number + 1, ""))
        return [order_id for _, order_id in self._sorted[start : start + most]]


class Hands:
    """The claimed orders of each barista who gave a name."""

    __slots__ = ("_by_barista",)

    def __init__(self) -> None:
        self._by_barista: dict[str, Tickets] = {}

    def of(self, barista: str) -> Tickets:
        """Return a barista's orders; do not change them."""
        return self._by_barista.get(barista, NONE)

    def add(self, order: Order) -> None:
        """Add a claimed order to its barista's."""
        if order.barista is not None:
            self._by_barista.setdefault(order.barista, Tickets()).add(order)

    def remove(self, order: Order) -> None:
        """Remove it; it must have the barista that it was added with."""
        if order.barista is not None:
            held = self._by_barista[order.barista]
            held.remove(order)
            if not held:
                del self._by_barista[order.barista]


NONE: Final = Tickets()


class Keys:
    """Which order an address has placed with which key."""

    def __init__(self) -> None:
        self._orders: dict[tuple[str, str], tuple[str, int]] = {}

    def find(self, address: str, key: str) -> str | None:
        """Return the id of the order, if the key is known."""
        known = self._orders.get((address, key))
        return None if known is None else known[0]

    def remember(self, order: Order) -> None:
        """Map an order's key, if it has one, to the order, unless a newer order has used it."""
        if order.key is None:
            return
        known = self._orders.get((order.address, order.key))
        if known is None or known[1] < order.number:
            self._orders[order.address, order.key] = order.order_id, order.number

    def forget(self, order: Order) -> None:
        """Remove an order's key, unless another order has taken it."""
        if order.key is not None and self.find(order.address, order.key) == order.order_id:
            del self._orders[order.address, order.key]


class Recent:
    """The ids of ended orders, and the count of entries at the last change of each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._written: dict[str, int] = {}

    def add(self, order_id: str, written: int) -> None:
        """Record that an ended order has changed."""
        self._written.pop(order_id, None)
        self._written[order_id] = written

    def forgettable(self, committed: int) -> Iterator[str]:
        """Yield the orders to forget, the oldest first, and remove them."""
        while len(self._written) > self._most:
            order_id, written = next(iter(self._written.items()))
            if written > committed:
                return
            del self._written[order_id]
            yield order_id
