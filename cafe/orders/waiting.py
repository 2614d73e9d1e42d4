"""The replies that the Dispatcher keeps, of customers and of baristas who wait.

Rule: bookkeeping, no decisions. The Dispatcher owns one of each and decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from actors import Reply
from cafe.orders.messages import Claim, Standing, StartOrder


@dataclass(slots=True, eq=False)
class Customer:
    """One client that waits for an order to end."""

    reply: Reply[Standing]
    collects: bool
    """Whether it placed the order, and so is handed it; else it only looks."""


class WaitingCustomers:
    """The waiting clients of each order: one with a key may have several, with the same answer."""

    def __init__(self) -> None:
        self._by_order: dict[str, list[Customer]] = {}

    def add(self, order_id: str, customer: Customer) -> None:
        """Add a waiting client."""
        self._by_order.setdefault(order_id, []).append(customer)

    def remove(self, order_id: str, customer: Customer) -> bool:
        """Remove one; return whether it was there."""
        customers = self._by_order.get(order_id, [])
        if customer not in customers:
            return False
        customers.remove(customer)
        if not customers:
            del self._by_order[order_id]
        return True

    def collect(self, order_id: str) -> bool:
        """Return whether a client waits to be handed an order."""
        return any(customer.collects for customer in self._by_order.get(order_id, ()))

    def dismiss(self, order_id: str) -> list[Customer]:
        """Remove and return all that wait for an order."""
        return self._by_order.pop(order_id, [])

    def orders(self) -> list[str]:
        """List the orders that clients wait for."""
        return list(self._by_order)


class WaitingBaristas:
    """The waiting baristas, first come first served."""

    def __init__(self) -> None:
        self._by_reply: dict[Reply[Claim | None], StartOrder] = {}

    def __len__(self) -> int:
        return len(self._by_reply)

    def add(self, reply: Reply[Claim | None], wish: StartOrder) -> None:
        """Add a barista after the others."""
        self._by_reply[reply] = wish

    def remove(self, reply: Reply[Claim | None]) -> None:
        """Remove a barista, if it waits."""
        self._by_reply.pop(reply, None)

    def take_first(self) -> tuple[Reply[Claim | None], StartOrder]:
        """Remove and return the one that has waited longest."""
        reply = next(iter(self._by_reply))
        return reply, self._by_reply.pop(reply)

    def dismiss_all(self) -> list[Reply[Claim | None]]:
        """Remove and return all."""
        replies = list(self._by_reply)
        self._by_reply.clear()
        return replies
