"""Writes orders' lives into a ledger's tables, as the shop would, or not quite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, update

from cafe.ledger.schema import idempotency_keys, order_events, orders
from cafe.orders.order import TRANSITIONS, Action, Order, Status

STEPS = [
    (None, Action.PLACE, Status.WAITING),
    *((before, action, after) for (before, action), after in TRANSITIONS.items()),
]
LEASE_SECONDS = 180.0


class Scribe:
    """Keeps the count of numbers and sequences."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._number = 0
        self._sequence = 0

    def place(self, at: float, address: str = "192.0.2.1", key: str | None = None) -> Order:
        self._number += 1
        order_id = f"order-{self._number}"
        bound = key is None
        order = Order(order_id, self._number, "americano", "Ada", address, at, key, bound=bound)
        self.connection.execute(insert(orders).values(**_row(order)))
        if key is not None:
            row = {"address": address, "key": key, "order_id": order_id, "placed_at": at}
            self.connection.execute(insert(idempotency_keys).values(**row))
        self._tell(Action.PLACE, None, order, at)
        return order

    def start(self, order: Order, at: float, barista: str | None = "Bo") -> Order:
        lease = {"started_at": at, "lease_expires_at": at + LEASE_SECONDS}
        return self.step(order, Action.START, at, by=barista, barista=barista, **lease)

    def finish(self, order: Order, at: float) -> Order:
        late = order.status is Status.WAITING
        action = Action.FINISH_LATE if late else Action.FINISH
        return self.step(order, action, at, ended_at=at)

    def give_back(self, order: Order, at: float, action: Action = Action.RELEASE) -> Order:
        lapsed = order.lapsed or action is Action.EXPIRE
        return self.step(order, action, at, barista=None, lease_expires_at=None, lapsed=lapsed)

    def leave(self, order: Order, at: float, action: Action = Action.CANCEL) -> Order:
        """Let the customer of a waiting order go without."""
        return self.step(order, action, at, ended_at=at)

    def step(
        self, order: Order, action: Action, at: float, by: str | None = None, **changes: Any
    ) -> Order:
        after = order.after(action, **changes)
        self._tell(action, order.status, after, at, by)
        self.connection.execute(
            update(orders).where(orders.c.order_id == order.order_id).values(**_row(after))
        )
        if after.status is Status.CANCELLED:
            mine = idempotency_keys.c.order_id == order.order_id
            self.connection.execute(delete(idempotency_keys).where(mine))
        return after

    def _tell(
        self, action: Action, before: Status | None, order: Order, at: float, by: str | None = None
    ) -> None:
        self._sequence += 1
        row = {
            "sequence": self._sequence,
            "order_id": order.order_id,
            "action": action.value,
            "before": None if before is None else before.value,
            "after": order.status.value,
            "at": at,
            "by": by,
        }
        self.connection.execute(insert(order_events).values(**row))


def _row(order: Order) -> dict[str, Any]:
    return {**order._asdict(), "status": order.status.value}
