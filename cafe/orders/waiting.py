"""Who waits for each order: clients of this process, each a kept reply, and customers at fronts.

Rule: it only keeps the record. The Dispatcher, which owns it, decides what happens to an order
whose customer leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from actors import Reply
from cafe.orders.holdings import Holdings
from cafe.orders.messages import AwaitOrder, Standing
from cafe.orders.order import Order

Replies = Mapping[Reply[Standing], AwaitOrder]


class WaitingCustomers:
    """The clients of one instance of the Dispatcher; the holdings outlive it."""

    def __init__(self, holdings: Holdings) -> None:
        """Begin without clients of this process."""
        self.holdings = holdings
        self._replies: dict[str, dict[Reply[Standing], AwaitOrder]] = {}
        """By order id; an order may have several."""
        self._unclaimed: set[str] = set()
        """Bound orders without a waiting customer at the last check."""

    def add(self, reply: Reply[Standing], message: AwaitOrder) -> None:
        """Keep the reply of a client that waits."""
        self._replies.setdefault(message.order_id, {})[reply] = message

    def remove(self, reply: Reply[Standing], message: AwaitOrder) -> bool:
        """Forget a reply; return whether it was kept."""
        waiting = self._replies.get(message.order_id, {})
        was_kept = waiting.pop(reply, None) is not None
        if was_kept and not waiting:
            del self._replies[message.order_id]
        return was_kept

    def answered_here(self) -> Sequence[str]:
        """Return the orders for which clients of this process wait."""
        return list(self._replies)

    def take_replies(self, order_id: str) -> Replies:
        """Return the kept replies of an order, and forget them."""
        return self._replies.pop(order_id, {})

    def end(self, order_id: str) -> tuple[Replies, bool]:
        """Forget all who wait for an order; return the replies, and whether any client collects."""
        replies = self.take_replies(order_id)
        is_held = self.holdings.end(order_id)
        return replies, is_held or any(one.collects for one in replies.values())

    def has_customer(self, order_id: str) -> bool:
        """Return whether a client waits to be handed an order."""
        if self.holdings.is_held(order_id):
            return True
        return self.is_collected_here(order_id)

    def is_collected_here(self, order_id: str) -> bool:
        """Return whether a client of this process waits to be handed an order."""
        return any(one.collects for one in self._replies.get(order_id, {}).values())

    def suspect(self, orders: Iterable[Order]) -> None:
        """Treat these as found without a customer at the last check."""
        self._unclaimed = {order.order_id for order in orders}

    def unclaimed(self, live: Iterable[Order]) -> Sequence[str]:
        """Return bound orders that had no waiting customer at this check and the last."""
        unclaimed = [
            order.order_id
            for order in live
            if order.bound and not order.abandoned and not self.has_customer(order.order_id)
        ]
        again = [order_id for order_id in unclaimed if order_id in self._unclaimed]
        self._unclaimed = set(unclaimed)
        return again
