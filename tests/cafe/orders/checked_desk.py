"""A desk that checks each of its replies: what is replied must be in the ledger already.

Rule: the ledger is read when the reply arrives. The transition that a reply reports must be an
event in it, of that order and at that time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from actors import Ref
from cafe.orders.desk import Desk
from cafe.orders.messages import (
    CancelOrder,
    Claim,
    FinishOrder,
    MoveOrder,
    PlaceOrder,
    PublishOrder,
    ReleaseOrder,
    Standing,
    StartOrder,
)
from cafe.orders.order import Order, Status
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.fragile import FragileDispatcher

AFTER = {Status.READY: {Status.READY, Status.DELIVERED}, Status.DELIVERED: {Status.DELIVERED}}


@dataclass(frozen=True, kw_only=True)
class CheckedDesk(Desk):
    """A desk that compares its replies with the store."""

    dispatcher: Ref[FragileDispatcher]
    store: FaultyStore

    async def place(self, message: PlaceOrder, hold: float = inf) -> Standing:
        standing = await super().place(message, hold)
        order = standing.order
        self.check_committed(order)
        row = self.committed(order.order_id)
        if order.status is Status.READY:
            assert row.status is Status.DELIVERED, "it could be handed over again"
        if hold < inf:
            assert not row.bound or order.ended, "it would end with its connection"
        return standing

    async def place_basket(self, message: PlaceOrder) -> tuple[Standing, bool]:
        standing, is_new = await super().place_basket(message)
        self.check_committed(standing.order)
        row = self.committed(standing.order.order_id)
        assert row.basket == standing.order.basket
        assert not row.bound
        return standing, is_new

    async def move(self, message: MoveOrder) -> Standing:
        standing = await super().move(message)
        self.check_committed(standing.order)
        assert standing.order.status is message.status
        return standing

    async def publish(self, message: PublishOrder) -> Standing:
        standing = await super().publish(message)
        self.check_committed(standing.order)
        assert self.committed(message.order_id).destination == standing.order.destination
        return standing

    async def hand_over(self, order_id: str, by: str | None = None) -> Standing:
        standing = await super().hand_over(order_id, by)
        self.check_committed(standing.order)
        assert standing.order.status is Status.DELIVERED
        return standing

    async def call_off(
        self, order_id: str, by: str | None = None, reason: str | None = None
    ) -> Standing:
        standing = await super().call_off(order_id, by, reason)
        self.check_committed(standing.order)
        assert standing.order.status is Status.CANCELLED
        return standing

    async def find(self, order_id: str, hold: float = 0.0) -> Standing:
        standing = await super().find(order_id, hold)
        self.check_committed(standing.order)
        return standing

    async def cancel(self, message: CancelOrder) -> Standing:
        standing = await super().cancel(message)
        self.check_committed(standing.order)
        assert self.committed(message.order_id).status is Status.CANCELLED
        return standing

    async def start(self, message: StartOrder, hold: float = 0.0) -> Claim | None:
        claim = await super().start(message, hold)
        if claim is not None:
            self.check_committed(claim.order)
        return claim

    async def finish(self, message: FinishOrder) -> Order:
        order = await super().finish(message)
        self.check_committed(order)
        assert self.committed(message.order_id).status in AFTER[Status.READY]
        return order

    async def release(self, message: ReleaseOrder) -> Order:
        order = await super().release(message)
        self.check_committed(order)
        return order

    def committed(self, order_id: str) -> Order:
        """Return the order as it is committed."""
        order = self.store.find(order_id)
        assert order is not None, "the reply has an order that is not committed"
        return order

    def check_committed(self, order: Order) -> None:
        """Check that the ledger has the transition that led to this order."""
        logged = [one for one in self.store.logged if one.department == "orders"]
        known = [one.event for one in logged if one.event.subject == order.order_id]
        assert order.status in {event.after for event in known}, "the reply came before the commit"
        assert order.placed_at == known[0].at
        if order.status is Status.PREPARATION:
            starts = {event.at for event in known if event.action == "start"}
            assert order.started_at in starts
        if order.ended:
            ends = {event.at for event in known if event.after in {"ready", "cancelled"}}
            assert order.ended_at in ends
