"""Idempotency-Keys of the orders that the book knows.

Rule: pure. A key belongs to the address that used it, and to one order at a time: the newest.
"""

from __future__ import annotations

from cafe.orders.order import Order


class Keys:
    """Which order an address means by a key."""

    def __init__(self) -> None:
        self._orders: dict[tuple[str, str], tuple[str, int]] = {}

    def find(self, address: str, key: str) -> str | None:
        """Give the id of the order, if the key is known."""
        known = self._orders.get((address, key))
        return None if known is None else known[0]

    def remember(self, order: Order) -> None:
        """Let an order's key, if it has one, lead to it, unless a newer order has used it."""
        if order.key is None:
            return
        known = self._orders.get((order.address, order.key))
        if known is None or known[1] < order.number:
            self._orders[order.address, order.key] = order.order_id, order.number

    def forget(self, order: Order) -> None:
        """Let an order's key lead to it no longer; another order may have taken it."""
        if order.key is not None and self.find(order.address, order.key) == order.order_id:
            del self._orders[order.address, order.key]
