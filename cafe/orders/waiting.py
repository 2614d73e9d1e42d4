"""Who waits at the counter: customers for their order, baristas for the next one.

Rule: bookkeeping of kept replies, no decisions. The Dispatcher owns one of each and decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from actors import Reply
from cafe.orders.messages import Claim, Standing, StartOrder


@dataclass(slots=True, eq=False)
class Customer:
    """Somebody who waits for an order to end."""

    reply: Reply[Standing]
    collects: bool
    """Placed it, and so gets it; else only looks on."""


class WaitingCustomers:
    """By order: an order with a key may have several, who all get the same answer."""

    def __init__(self) -> None:
        self._by_order: dict[str, list[Customer]] = {}

    def add(self, order_id: str, customer: Customer) -> None:
        """Let `customer` wait."""
        self._by_order.setdefault(order_id, []).append(customer)

    def remove(self, order_id: str, customer: Customer) -> bool:
        """Let one customer wait no more; tell whether it did until now."""
        customers = self._by_order.get(order_id, [])
        if customer not in customers:
            return False
        customers.remove(customer)
        if not customers:
            del self._by_order[order_id]
        return True

    def collect(self, order_id: str) -> bool:
        """Tell whether somebody waits to be given an order."""
        return any(customer.collects for customer in self._by_order.get(order_id, ()))

    def dismiss(self, order_id: str) -> list[Customer]:
        """Give all who wait for an order, who from now on wait no more."""
        return self._by_order.pop(order_id, [])

    def orders(self) -> list[str]:
        """List the orders that somebody waits for."""
        return list(self._by_order)


class WaitingBaristas:
    """In the order in which they came."""

    def __init__(self) -> None:
        self._by_reply: dict[Reply[Claim | None], StartOrder] = {}

    def __len__(self) -> int:
        return len(self._by_reply)

    def add(self, reply: Reply[Claim | None], wish: StartOrder) -> None:
        """Let a barista wait behind the others."""
        self._by_reply[reply] = wish

    def remove(self, reply: Reply[Claim | None]) -> None:
        """Let one barista wait no more, if it did."""
        self._by_reply.pop(reply, None)

    def take_first(self) -> tuple[Reply[Claim | None], StartOrder]:
        """Give who has waited longest, and from now on waits no more."""
        reply = next(iter(self._by_reply))
        return reply, self._by_reply.pop(reply)

    def dismiss_all(self) -> list[Reply[Claim | None]]:
        """Give everybody, who from now on waits no more."""
        replies = list(self._by_reply)
        self._by_reply.clear()
        return replies
