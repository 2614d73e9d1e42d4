"""What is remembered of orders that have ended, and for how long.

Rule: pure and bounded. Whoever may still ask for a coffee later (a 202, an Idempotency-Key) finds
it for the time that was promised; of all others the most recent are kept, so that a barista who
repeats a finish gets the same answer.
"""

from __future__ import annotations

from collections import OrderedDict

from cafe.orders.order import Order, Status

MOST_RECENT = 1_000
"""Ended orders that were kept for nobody in particular."""
MOST_COLLECTABLE = 100_000
"""A safety net far above what ten baristas brew in a day (about 20,000)."""


class Archive:
    """Orders that have ended, oldest forgotten first."""

    def __init__(self, ttl_seconds: float) -> None:
        self._ttl_seconds = ttl_seconds
        self._recent: OrderedDict[str, Order] = OrderedDict()
        self._collectable: OrderedDict[str, Order] = OrderedDict()

    def keep(self, order: Order) -> None:
        """Remember `order`, which has just ended."""
        if order.bound or order.status is Status.CANCELLED:
            self._recent[order.order_id] = order
        else:
            self._collectable[order.order_id] = order

    def update(self, order: Order) -> None:
        """Put a newer state of an order that is remembered."""
        for orders in (self._recent, self._collectable):
            if order.order_id in orders:
                orders[order.order_id] = order

    def find(self, order_id: str) -> Order | None:
        """Give the order, or None where it is unknown or forgotten."""
        return self._recent.get(order_id) or self._collectable.get(order_id)

    def __len__(self) -> int:
        return len(self._recent) + len(self._collectable)

    def forget(self, now: float) -> list[Order]:
        """Forget what has had its time, and give it, so that others forget it too."""
        forgotten: list[Order] = []
        while len(self._recent) > MOST_RECENT:
            forgotten.append(self._recent.popitem(last=False)[1])
        while self._collectable:
            oldest = next(iter(self._collectable.values()))
            expired = (oldest.ended_at or now) + self._ttl_seconds <= now
            if not expired and len(self._collectable) <= MOST_COLLECTABLE:
                break
            forgotten.append(self._collectable.popitem(last=False)[1])
        return forgotten
