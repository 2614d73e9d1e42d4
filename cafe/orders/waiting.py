"""Who waits at the counter: customers for their order, baristas for the next one.

Rule: bookkeeping of kept replies, and of the timers that end a wait, no decisions. The Dispatcher
owns one of each and decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from actors import Reply, Timer
from cafe.orders.messages import Claim, Standing


@dataclass(slots=True, eq=False)
class Customer:
    """Somebody who waits for an order to end."""

    reply: Reply[Standing]
    collects: bool
    """Placed it, and so gets it; else he only looks on."""
    timer: Timer | None = None


class WaitingCustomers:
    """By order: an order with a key may have several, who all get the same answer."""

    def __init__(self) -> None:
        self._by_order: dict[str, list[Customer]] = {}

    def add(self, order_id: str, customer: Customer) -> None:
        """Let `customer` wait."""
        self._by_order.setdefault(order_id, []).append(customer)

    def remove(self, order_id: str, customer: Customer) -> bool:
        """Let one customer wait no more; tell whether he did until now."""
        customers = self._by_order.get(order_id, [])
        if customer not in customers:
            return False
        customers.remove(customer)
        if not customers:
            del self._by_order[order_id]
        stop(customer.timer)
        return True

    def collect(self, order_id: str) -> bool:
        """Tell whether somebody waits to be given an order."""
        return any(customer.collects for customer in self._by_order.get(order_id, ()))

    def dismiss(self, order_id: str) -> list[Customer]:
        """Give all who wait for an order, who from now on wait no more."""
        customers = self._by_order.pop(order_id, [])
        for customer in customers:
            stop(customer.timer)
        return customers

    def dismiss_all(self) -> list[Customer]:
        """Give everybody, who from now on waits no more."""
        return [
            customer for order_id in list(self._by_order) for customer in self.dismiss(order_id)
        ]


@dataclass(slots=True)
class Barista:
    """Somebody who waits for an order to start; `name` is what he called himself."""

    name: str | None
    timer: Timer | None


class WaitingBaristas:
    """In the order in which they came."""

    def __init__(self) -> None:
        self._by_reply: dict[Reply[Claim | None], Barista] = {}

    def __len__(self) -> int:
        return len(self._by_reply)

    def add(self, reply: Reply[Claim | None], barista: Barista) -> None:
        """Let a barista wait behind the others."""
        self._by_reply[reply] = barista

    def remove(self, reply: Reply[Claim | None]) -> None:
        """Let one barista wait no more."""
        stop(self._by_reply.pop(reply).timer)

    def take_first(self) -> tuple[Reply[Claim | None], str | None]:
        """Give whoever has waited longest, who from now on waits no more."""
        reply, barista = next(iter(self._by_reply.items()))
        self.remove(reply)
        return reply, barista.name

    def dismiss_all(self) -> list[Reply[Claim | None]]:
        """Give everybody, who from now on waits no more."""
        replies = list(self._by_reply)
        for reply in replies:
            self.remove(reply)
        return replies


def stop(timer: Timer | None) -> None:
    """Stop the timer of a wait that has one."""
    if timer is not None:
        timer.cancel()
