"""What is told of an order, a refusal too, is in the ledger by then."""

from __future__ import annotations

import pytest
import trio

from cafe.orders.messages import CancelOrder, FinishOrder, PlaceOrder, ReleaseOrder
from cafe.orders.refusals import OrderCancelled, OrderConflict
from tests.cafe.orders.counter import REGULAR, open_counter, settled

pytestmark = pytest.mark.schedules


async def test_nobody_is_told_of_a_cancellation_that_a_crash_could_undo() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await counter.order(key="k", hold=0)
        claim = await counter.claimed()
        await counter.desk.release(ReleaseOrder(claim.order.order_id))
        order_id = claim.order.order_id
        counter.disk.seconds = 1
        nursery.start_soon(counter.desk.cancel, CancelOrder(order_id))
        await settled()
        with pytest.raises(OrderConflict):
            await counter.desk.finish(FinishOrder(order_id))
        assert counter.store.orders[order_id].status == "cancelled"


async def test_nobody_is_told_of_a_claim_that_a_crash_could_undo() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        standing = await counter.order(key="k", hold=0)
        counter.disk.seconds = 1
        nursery.start_soon(counter.start)
        await settled()
        with pytest.raises(OrderConflict):
            await counter.desk.cancel(CancelOrder(standing.order.order_id))
        assert counter.store.orders[standing.order.order_id].status == "preparation"


async def test_whoever_asks_again_after_a_crash_is_told_of_a_cancellation_when_it_is_kept() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        standing = await counter.order(key="k", hold=0)
        counter.disk.seconds = 1
        nursery.start_soon(counter.desk.cancel, CancelOrder(standing.order.order_id))
        await settled()
        message = PlaceOrder(standing.order.order_id, "americano", None, REGULAR, 400, "k")
        with pytest.raises(OrderCancelled):
            await counter.ref.ask(message)
        assert counter.store.orders[standing.order.order_id].status == "cancelled"
