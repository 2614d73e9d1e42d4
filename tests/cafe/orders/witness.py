"""A desk where somebody looks on: what is answered must be in the ledger already.

Rule: the ledger is looked at when the answer arrives, and every state that anybody is told of must
be one that the ledger has, or has had, of that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from actors import Ref
from cafe.orders.desk import Desk
from cafe.orders.messages import (
    CancelOrder,
    Claim,
    FindOrder,
    FinishOrder,
    PlaceOrder,
    ReleaseOrder,
    Standing,
    StartOrder,
)
from cafe.orders.order import Order, Status
from cafe.orders.records import row_of
from tests.cafe.ledger.fakes import MemoryStore
from tests.cafe.orders.fragile import FragileDispatcher, FragileLedger

AFTER = {"ready": {"ready", "delivered"}, "delivered": {"delivered"}}


@dataclass(frozen=True)
class WitnessedDesk(Desk):
    """The desk, and the store behind it."""

    dispatcher: Ref[FragileDispatcher]
    ledger: Ref[FragileLedger]
    store: MemoryStore

    async def place(self, message: PlaceOrder) -> Standing:
        standing = await super().place(message)
        order = standing.order
        self.witness(order)
        row = self.store.orders[order.order_id]
        if order.status is Status.READY:
            assert row.status == "delivered", "whoever has got his coffee is not to get another"
        if message.hold < inf:
            assert not row.bound or order.ended, "who was told to come back can come back"
        return standing

    async def find(self, message: FindOrder) -> Standing:
        standing = await super().find(message)
        self.witness(standing.order)
        return standing

    async def cancel(self, message: CancelOrder) -> Standing:
        standing = await super().cancel(message)
        self.witness(standing.order)
        assert self.store.orders[message.order_id].status == "cancelled"
        return standing

    async def start(self, message: StartOrder) -> Claim | None:
        claim = await super().start(message)
        if claim is not None:
            self.witness(claim.order)
        return claim

    async def finish(self, message: FinishOrder) -> Order:
        order = await super().finish(message)
        self.witness(order)
        assert self.store.orders[message.order_id].status in AFTER["ready"]
        return order

    async def release(self, message: ReleaseOrder) -> Order:
        order = await super().release(message)
        self.witness(order)
        return order

    def witness(self, order: Order) -> None:
        """Make sure that the ledger has this, or had it."""
        told = row_of(order)
        of_it = [r.order for r in self.store.events.values() if r.order.order_id == order.order_id]
        assert told in of_it, f"told before it was written: {told}"
