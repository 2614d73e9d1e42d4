"""The orders that ended last; the ledger has them all.

Rule: pure and bounded. Whoever repeats a finish or looks at his coffee a little later is answered
from here; of older orders the book knows nothing, until one is recalled from the ledger.
"""

from __future__ import annotations

from collections import OrderedDict

from cafe.orders.order import Order

MOST_RECENT = 1_000


class Archive:
    """Orders that have ended, the first to end forgotten first."""

    def __init__(self) -> None:
        self._orders: OrderedDict[str, Order] = OrderedDict()

    def keep(self, order: Order) -> Order | None:
        """Remember an order, or its newer state; give the one that is forgotten for it."""
        self._orders[order.order_id] = order
        if len(self._orders) <= MOST_RECENT:
            return None
        return self._orders.popitem(last=False)[1]

    def find(self, order_id: str) -> Order | None:
        """Give the order, or None where it is unknown or forgotten."""
        return self._orders.get(order_id)
