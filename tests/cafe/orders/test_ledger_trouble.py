"""The database is lost, slow, or refuses rows: what customers and baristas are answered."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from cafe.ledger.errors import LedgerUnavailable, NotRecorded
from cafe.orders import dispatcher
from cafe.orders.messages import CancelOrder, FinishOrder, ListOrders, PlaceOrder, ReleaseOrder
from cafe.orders.order import Status
from cafe.orders.refusals import OrderCancelled, OrderConflict
from tests.cafe.ledger.fakes import REFUSED, FaultyStore
from tests.cafe.orders.counter import ADDRESS, open_counter, settled, waiting_customers
from tests.cafe.orders.fragile import CountTimers

pytestmark = pytest.mark.schedules


async def repair(store: FaultyStore, seconds: float) -> None:
    """Reconnect the database after so many seconds."""
    await trio.sleep(seconds)
    store.link.gone = False


async def test_a_customer_whose_order_is_committed_waits_as_long_as_the_outage_lasts() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        claim = await counter.claimed()
        counter.store.link.gone = True
        with pytest.raises(LedgerUnavailable):
            await counter.finish(claim)
        await trio.sleep(120)
        assert customer.refused is None
        counter.store.link.gone = False
        await trio.sleep(1)
        assert customer.got is not None
        assert customer.got.order.status is Status.READY
        await counter.finish(claim)


async def test_an_order_that_is_not_committed_is_given_to_no_barista() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.store.link.gone = True
        [customer] = await waiting_customers(counter, nursery, 1)
        await trio.sleep(1)
        assert await counter.start("Bo") is None
        assert await counter.start("Bo", hold=3) is None
        await trio.sleep(2)
        assert isinstance(customer.refused, LedgerUnavailable)
        assert customer.at == pytest.approx(5)
        counter.store.link.gone = False
        await trio.sleep(1)
        assert await counter.start("Bo") is None
        [order] = counter.store.orders.values()
        assert order.status is Status.CANCELLED


async def test_a_waiting_barista_gets_an_order_as_soon_as_it_is_committed() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.store.link.gone = True
        await waiting_customers(counter, nursery, 1)
        nursery.start_soon(repair, counter.store, 2.0)
        claim = await counter.start("Bo", hold=30)
        assert claim is not None
        assert trio.current_time() < 3
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("hold", [0.0, 3.0])
async def test_an_order_to_be_collected_later_is_refused_after_five_seconds_of_an_outage(
    key: str | None, hold: float
) -> None:
    async with open_counter() as counter:
        # With a key the disk is slow: the look-up takes a part of the time.
        counter.store.link.gone = key is None
        counter.disk.seconds = 0 if key is None else 3
        counter.desk.keys.add(ADDRESS, "k", counter.ledger.now())
        began = trio.current_time()
        with pytest.raises(LedgerUnavailable):
            await counter.order(key=key, hold=hold)
        assert trio.current_time() - began == pytest.approx(5)
        counter.store.link.gone, counter.disk.seconds = False, 0
        await trio.sleep(100)
        left = {row.status for row in counter.store.orders.values()}
        # A retry with the key gets the order.
        assert left <= ({Status.CANCELLED} if key is None else {Status.WAITING})


async def test_a_look_up_times_out_after_five_seconds() -> None:
    async with open_counter() as counter:
        counter.store.link.gone = True
        await counter.crash()  # the next instance waits for the database
        await trio.sleep(1)
        began = trio.current_time()
        with pytest.raises(LedgerUnavailable):
            await counter.desk.find(counter.desk.ids.new())
        assert trio.current_time() - began == pytest.approx(5)
        counter.store.link.gone = False


async def test_a_long_outage_does_not_accumulate_timers() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:

        async def barista() -> None:
            while True:
                with suppress(LedgerUnavailable):
                    await counter.start(hold=10)

        await counter.order(hold=0)
        counter.store.link.gone = True
        for _ in range(3):
            nursery.start_soon(barista)
        await trio.sleep(51)
        before = await counter.ref.ask(CountTimers())
        await trio.sleep(500)
        assert await counter.ref.ask(CountTimers()) <= before + 400
        counter.store.link.gone = False
        nursery.cancel_scope.cancel()


async def test_refused_rows_disturb_no_other_customer() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [before] = await waiting_customers(counter, nursery, 1)
        for _ in range(8):
            with pytest.raises(NotRecorded):
                await counter.order(name=REFUSED)
        [after] = await waiting_customers(counter, nursery, 1)
        for number in (1, 2):
            claim = await counter.claimed()
            assert claim.order.number == number
            await counter.finish(claim)
        await settled()
        assert before.got is not None
        assert after.got is not None
        assert counter.ref.statistics().crashed == 0
        assert counter.store.broken_promises() == []


async def test_a_refused_row_disturbs_no_other_order_of_its_group() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        refused: list[str] = []

        async def order_refused() -> None:
            with pytest.raises(NotRecorded):
                await counter.order(name=REFUSED)
            refused.append("refused")

        counter.disk.seconds = 1
        first = await waiting_customers(counter, nursery, 1)
        nursery.start_soon(order_refused)
        await settled()
        others = await waiting_customers(counter, nursery, 3)
        counter.disk.seconds = 0
        await trio.sleep(4)
        for _ in range(4):
            await counter.finish(await counter.claimed())
        await settled()
        assert refused == ["refused"]
        assert all(customer.got for customer in [*first, *others])
        assert len(counter.store.orders) == 4
        assert counter.store.broken_promises() == []


async def test_a_look_up_is_not_refused_for_a_row_of_another_order() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        kept = await counter.order(hold=0)
        counter.disk.seconds = 1
        nursery.start_soon(counter.order)  # a group is under way, and the next one gathers
        await settled()
        seen: list[object] = []

        async def order_refused() -> None:
            with pytest.raises(NotRecorded):
                await counter.order(name=REFUSED)

        async def look() -> None:
            seen.append((await counter.desk.find(kept.order.order_id)).order.status)

        nursery.start_soon(order_refused)
        await settled()
        nursery.start_soon(look)
        await trio.sleep(10)
        assert seen == [Status.WAITING]
        nursery.cancel_scope.cancel()


async def test_a_commit_whose_reply_was_lost_is_not_made_twice() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.store.link.mute = 1
        [customer] = await waiting_customers(counter, nursery, 1)
        await counter.finish(await counter.start("Bo", hold=2) or await counter.claimed())
        await settled()
        assert customer.got is not None
        assert counter.store.broken_promises() == []
        assert len(counter.store.logged) == 4


async def test_orders_are_refused_at_once_when_too_many_changes_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_UNCOMMITTED", 2)
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.store.link.gone = True
        await waiting_customers(counter, nursery, 3)
        with pytest.raises(LedgerUnavailable):
            await counter.order()
        assert trio.current_time() == 0
        counter.store.link.gone = False
        nursery.cancel_scope.cancel()


async def test_a_claim_of_a_barista_that_disconnects_before_the_commit_is_released() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await waiting_customers(counter, nursery, 2)
        counter.disk.seconds = 1
        with trio.move_on_after(0.5):
            await counter.start("disconnects")
        assert (await counter.claimed("next")).order.number == 1
        nursery.cancel_scope.cancel()


async def test_a_dispatcher_that_crashes_during_an_outage_restarts_at_its_end() -> None:
    # Within the limit on restarts that the shop has.
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        counter.store.link.gone = True
        await counter.crash()
        await trio.sleep(600)
        counter.store.link.gone = False
        await counter.finish(await counter.claimed())
        await settled()
        assert customer.got is not None
        assert counter.ref.statistics().restarts == 1


async def test_a_list_waits_for_the_commit_of_what_it_shows() -> None:
    async with open_counter() as counter:
        await counter.order(hold=0)
        claim = await counter.claimed("Bo")
        counter.store.link.gone = True
        with pytest.raises(LedgerUnavailable):
            await counter.finish(claim)
        with pytest.raises(LedgerUnavailable):
            await counter.desk.list(ListOrders("Bo"))
        counter.store.link.gone = False
        await trio.sleep(1)
        assert (await counter.desk.list(ListOrders("Bo"))).standings == []


async def test_waiting_customers_survive_a_dispatcher_that_crashes_repeatedly() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        customers = await waiting_customers(counter, nursery, 3)
        for _ in range(3):
            await counter.crash()
        for _ in customers:
            await counter.finish(await counter.claimed())
        await settled()
        assert all(customer.got for customer in customers)


# A reply waits for the commit


async def test_a_conflict_with_a_cancellation_is_reported_after_its_commit() -> None:
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


async def test_a_conflict_with_a_claim_is_reported_after_its_commit() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        standing = await counter.order(key="k", hold=0)
        counter.disk.seconds = 1
        nursery.start_soon(counter.start)
        await settled()
        with pytest.raises(OrderConflict):
            await counter.desk.cancel(CancelOrder(standing.order.order_id))
        assert counter.store.orders[standing.order.order_id].status == "preparation"


async def test_a_retry_is_told_of_a_cancellation_after_its_commit() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        standing = await counter.order(key="k", hold=0)
        counter.disk.seconds = 1
        nursery.start_soon(counter.desk.cancel, CancelOrder(standing.order.order_id))
        await settled()
        message = PlaceOrder(standing.order.order_id, "americano", None, ADDRESS, 400, "k")
        with pytest.raises(OrderCancelled):
            await counter.ref.ask(message)
        assert counter.store.orders[standing.order.order_id].status == "cancelled"
