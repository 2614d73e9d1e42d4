"""What the Dispatcher guarantees customers: waiting, keys, cancelling, limits and bans."""

from __future__ import annotations

import pytest
import trio

from cafe.http.refusals import ShopClosing
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import (
    AwaitOrder,
    CancelOrder,
    Claim,
    CloseShop,
    CountQueue,
    CutOff,
    FindOrder,
    FinishOrder,
    ListOrders,
    PlaceOrder,
    ReleaseOrder,
)
from cafe.orders.order import Action, Status
from cafe.orders.refusals import (
    CutOffFromQueue,
    KeyReused,
    OrderCancelled,
    OrderConflict,
    QueueFull,
    TooManyWaiting,
    UnknownOrder,
)
from tests.cafe.orders.counter import (
    ADDRESS,
    Customer,
    open_counter,
    settled,
    waiting_customers,
)


@pytest.mark.schedules
async def test_a_customer_waits_until_its_order_is_ready() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        claim = await counter.claimed("Bo")
        await trio.sleep(45)
        finished = await counter.finish(claim)
        await settled()
        assert customer.got is not None
        assert customer.got.order.order_id == finished.order_id
        assert customer.got.order.status is Status.READY
        assert customer.got.waited_seconds == pytest.approx(45)
        assert finished.brewed_seconds == pytest.approx(45)
        assert not finished.abandoned


@pytest.mark.schedules
async def test_an_order_that_was_handed_over_is_delivered() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await waiting_customers(counter, nursery, 1)
        claim = await counter.claimed()
        await counter.finish(claim)
        seen = await counter.ref.ask(FindOrder(claim.order.order_id))
        assert seen.order.status is Status.DELIVERED


@pytest.mark.schedules
async def test_a_waiting_order_is_cancelled_when_its_customer_disconnects() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        disconnecting, waiting = await waiting_customers(counter, nursery, 2)
        disconnecting.disconnect()
        await settled()
        claim = await counter.claimed()
        assert claim.order.number == 2
        await counter.finish(claim)
        await settled()
        assert waiting.got is not None


@pytest.mark.schedules
async def test_requests_that_race_with_one_key_share_one_order() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        customers = [Customer(counter) for _ in range(3)]
        for customer in customers:
            nursery.start_soon(customer.wait, "my-key")
        await settled()
        claim = await counter.claimed()
        assert claim.waiting == 0
        await counter.finish(claim)
        await settled()
        assert {c.got.order.number for c in customers if c.got} == {1}
        assert all(customer.got for customer in customers)
        assert counter.numbers(Action.PLACE) == [1]
        assert counter.numbers(Action.HAND_OVER) == [1]


@pytest.mark.schedules
async def test_a_keyed_order_outlives_its_connection_and_is_collected_later() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1, key="k")
        customer.disconnect()
        await settled()
        claim = await counter.claimed()
        finished = await counter.finish(claim)
        assert not finished.abandoned
        again = await counter.order(key="k")
        assert again.order.order_id == claim.order.order_id


async def test_a_key_with_another_body_is_refused() -> None:
    async with open_counter() as counter:
        await counter.order(key="k", hold=0)
        with pytest.raises(KeyReused):
            await counter.order(key="k", hold=0, name="Ada")


@pytest.mark.schedules
async def test_a_bounded_wait_ends_with_the_order_as_it_stands_and_unbinds_it() -> None:
    async with open_counter() as counter:
        began = trio.current_time()
        standing = await counter.order(hold=10)
        assert trio.current_time() - began == pytest.approx(10)
        assert (standing.order.status, standing.position) == (Status.WAITING, 1)
        finished = await counter.finish(await counter.claimed())
        assert not finished.abandoned


@pytest.mark.schedules
async def test_a_get_that_waits_is_answered_as_soon_as_the_order_is_ready() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        standing = await counter.order(hold=0)
        seen: list[Status] = []

        async def look() -> None:
            found = await counter.ref.ask(AwaitOrder(standing.order.order_id, collects=False))
            seen.append(found.order.status)

        nursery.start_soon(look)
        await trio.sleep(5)
        await counter.finish(await counter.claimed())
        await settled()
        assert seen == [Status.READY]
        assert trio.current_time() == pytest.approx(5)


@pytest.mark.schedules
async def test_a_get_that_disconnects_cancels_no_order() -> None:
    async with open_counter() as counter:
        standing = await counter.order(hold=0)
        with trio.move_on_after(1):
            await counter.ref.ask(AwaitOrder(standing.order.order_id, collects=False))
        assert (await counter.claimed()).order.order_id == standing.order.order_id


async def test_an_unknown_order_is_refused() -> None:
    async with open_counter() as counter:
        with pytest.raises(UnknownOrder):
            await counter.ref.ask(FinishOrder("x"))
        with pytest.raises(UnknownOrder):
            await counter.ref.ask(ReleaseOrder("x"))
        with pytest.raises(UnknownOrder):
            await counter.ref.ask(CancelOrder("x"))
        with pytest.raises(UnknownOrder):
            await counter.ref.ask(FindOrder("x"))


@pytest.mark.schedules
async def test_cancelling_refuses_the_waiting_request_and_leaves_the_queue() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1, key="k")
        [standing] = (await counter.ref.ask(ListOrders())).standings
        cancelled = await counter.ref.ask(CancelOrder(standing.order.order_id))
        assert cancelled.order.status is Status.CANCELLED
        await settled()
        assert isinstance(customer.refused, OrderCancelled)
        assert await counter.start() is None


async def test_an_order_in_preparation_cannot_be_cancelled() -> None:
    async with open_counter() as counter:
        standing = await counter.order(hold=0)
        await counter.claimed()
        with pytest.raises(OrderConflict):
            await counter.ref.ask(CancelOrder(standing.order.order_id))


async def test_an_order_beyond_the_limit_of_the_queue_is_refused() -> None:
    async with open_counter(Rules(max_waiting=2)) as counter:
        for _ in range(2):
            await counter.order(hold=0)
        with pytest.raises(QueueFull) as caught:
            await counter.order(hold=0)
        assert caught.value.problem_members() == {"reason": "queue_full"}
        assert not (await counter.ref.ask(CountQueue())).accepting


async def test_an_order_beyond_the_limit_of_its_address_is_refused() -> None:
    async with open_counter() as counter:
        await counter.ref.ask(PlaceOrder("first", "americano", None, ADDRESS, max_waiting=1))
        with pytest.raises(TooManyWaiting) as caught:
            await counter.ref.ask(PlaceOrder("second", "americano", None, ADDRESS, max_waiting=1))
        assert caught.value.problem_members() == {"limit": "waiting"}
        await counter.order(address="192.0.2.2", hold=0)


@pytest.mark.schedules
async def test_a_banned_address_leaves_the_queue_and_the_others_move_up() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        customers = await waiting_customers(counter, nursery, 2)
        kept = await counter.order(key="k", hold=0)
        other = await counter.order(address="192.0.2.2", hold=0)
        assert await counter.ref.ask(CutOff(ADDRESS, 60)) == 3
        await settled()
        assert all(isinstance(customer.refused, CutOffFromQueue) for customer in customers)
        assert (await counter.claimed()).order.order_id == other.order.order_id
        seen = await counter.ref.ask(FindOrder(kept.order.order_id))
        assert seen.order.status is Status.CANCELLED


@pytest.mark.schedules
async def test_shutdown_answers_every_waiting_request_and_refuses_orders() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        idle: list[Claim | None] = []

        async def barista() -> None:
            idle.append(await counter.start(hold=60))

        nursery.start_soon(barista)
        await settled()
        await waiting_customers(counter, nursery, 1)  # the barista gets it
        customers = await waiting_customers(counter, nursery, 3)
        counter.closing.begin(retry_after=5)
        assert await counter.ref.ask(CloseShop()) == 4
        await settled()
        assert idle[0] is not None, "it got its order before the shutdown"
        assert all(isinstance(customer.refused, ShopClosing) for customer in customers)
        with pytest.raises(ShopClosing):
            await counter.order()
