"""Orders at a front: customers wait there and are served, whatever the bus and the house do."""

from __future__ import annotations

import pytest
import trio

from cafe.http.refusals import ShopClosing
from cafe.orders.messages import (
    AwaitOrder,
    CancelOrder,
    CutOff,
    FinishOrder,
    PlacedQuery,
    PlaceOrder,
    StartOrder,
    basket_order,
)
from cafe.orders.order import Status
from cafe.orders.refusals import CutOffFromQueue, KeyReused, OrderCancelled, UnknownOrder
from tests.cafe.ledger.order_histories import basket
from tests.cafe.orders.counter import ADDRESS
from tests.cafe.orders.site import BAN_SECONDS, Guest, brew_all, open_site, seated

pytestmark = pytest.mark.schedules


async def test_a_customer_at_a_front_is_handed_the_coffee_as_it_is_finished() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front, other = await site.open_front(), await site.open_front()
        [guest] = await seated(front, nursery, 1)
        finished = await other.brew()
        await trio.sleep(1)
        assert guest.got is not None
        assert guest.got.order.order_id == finished.order_id
        assert guest.got.order.status is Status.READY
        assert site.store.orders[finished.order_id].status is Status.DELIVERED
        assert not finished.abandoned
        assert front.dispatcher.waiting == 0


async def test_the_wait_does_not_cross_the_bus() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        counter = await site.open_house()
        front = await site.open_front()
        await seated(front, nursery, 5)
        assert front.house.open == 0
        assert counter.ref.statistics().handled == 5
        nursery.cancel_scope.cancel()


async def test_a_customer_who_hangs_up_leaves_the_queue() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front = await site.open_front()
        leaving, staying = await seated(front, nursery, 2)
        leaving.disconnect()
        await trio.sleep(1)
        assert len(site.of(Status.CANCELLED)) == 1
        assert await brew_all(front) == 1
        assert staying.is_ready != leaving.is_ready
        assert len(site.of(Status.DELIVERED)) == 1


async def test_one_who_hangs_up_while_it_is_brewed_does_not_collect_it() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front = await site.open_front()
        [guest] = await seated(front, nursery, 1)
        claim = await front.claimed()
        guest.disconnect()
        await trio.sleep(1)
        finished = await front.desk.finish(FinishOrder(claim.order.order_id))
        assert finished.abandoned
        assert site.store.orders[finished.order_id].status is Status.READY


async def test_a_timed_wait_ends_with_an_order_that_can_be_collected_later() -> None:
    async with open_site() as site:
        await site.open_house()
        front = await site.open_front()
        standing = await front.order(hold=3)
        order_id = standing.order.order_id
        assert standing.order.status is Status.WAITING
        await front.brew()
        assert site.store.orders[order_id].status is Status.READY
        assert not site.store.orders[order_id].bound
        assert front.dispatcher.waiting == 0


async def test_a_timed_wait_that_is_long_enough_hands_the_coffee_over() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front = await site.open_front()
        guest = Guest(front)
        nursery.start_soon(guest.wait, None, 60)
        await trio.sleep(2)
        finished = await front.brew()
        await trio.sleep(1)
        assert guest.is_ready
        assert site.store.orders[finished.order_id].status is Status.DELIVERED


async def test_one_key_is_one_order_at_two_fronts_and_both_are_answered() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        fronts = [await site.open_front(), await site.open_front()]
        guests = [
            *await seated(fronts[0], nursery, 2, "k"),
            *await seated(fronts[1], nursery, 1, "k"),
        ]
        guests[0].disconnect()
        await trio.sleep(1)
        await fronts[1].brew()
        await trio.sleep(1)
        assert [guest.is_ready for guest in guests] == [False, True, True]
        assert [one.status for one in site.store.orders.values()] == [Status.DELIVERED]


async def test_a_keyed_order_that_all_its_customers_left_waits_to_be_collected() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front, other = await site.open_front(), await site.open_front()
        [guest] = await seated(front, nursery, 1, "k")
        guest.disconnect()
        await trio.sleep(1)
        finished = await front.brew()
        assert site.store.orders[finished.order_id].status is Status.READY
        collected = await other.order("k")
        assert collected.order.order_id == finished.order_id
        assert site.store.orders[finished.order_id].status is Status.DELIVERED


async def test_an_order_that_is_cancelled_or_cut_off_refuses_its_customer() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front = await site.open_front()
        [guest] = await seated(front, nursery, 1)
        [order_id] = site.store.orders
        await front.desk.cancel(CancelOrder(order_id))
        await trio.sleep(1)
        assert isinstance(guest.refused, OrderCancelled)
        [guest] = await seated(front, nursery, 1)
        await front.dispatcher.ask(CutOff(ADDRESS, 77.0))
        await trio.sleep(1)
        assert isinstance(guest.refused, CutOffFromQueue)
        assert guest.refused.retry_after == BAN_SECONDS


async def test_one_who_only_looks_is_answered_at_the_end_and_is_handed_nothing() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front, other = await site.open_front(), await site.open_front()
        placed = await front.order("k", hold=0)
        order_id, seen = placed.order.order_id, list[Status]()

        async def look() -> None:
            seen.append((await other.desk.find(order_id, 600)).order.status)

        nursery.start_soon(look)
        await trio.sleep(2)
        await front.brew()
        await trio.sleep(1)
        assert seen == [Status.READY]
        assert site.store.orders[order_id].status is Status.READY
        assert (await other.desk.find(order_id, 600)).order.status is Status.READY
        with pytest.raises(UnknownOrder):
            await other.dispatcher.ask(AwaitOrder("x", collects=False))


async def test_a_claim_that_comes_after_its_barista_left_is_released() -> None:
    async with open_site() as site:
        await site.open_house()
        site.disk.seconds = 0.2
        front = await site.open_front()
        await front.order(hold=0)
        with trio.move_on_after(0.1):
            await front.desk.start(StartOrder("gone"))
        await trio.sleep(2)
        assert [one.status for one in site.store.orders.values()] == [Status.WAITING]
        with trio.move_on_after(0.1):
            await front.start(claim="kept")
        await trio.sleep(2)
        again = await front.start(claim="kept")
        assert again is not None


async def test_an_order_whose_customer_left_before_it_was_placed_is_withdrawn() -> None:
    async with open_site() as site:
        await site.open_house()
        site.disk.seconds = 0.2
        front = await site.open_front()
        for key, seconds in ((None, 0.1), (None, 0.21), ("k", 0.1)):
            with trio.move_on_after(seconds):
                await front.order(key)
        await trio.sleep(2)
        waiting = site.of(Status.WAITING)
        assert [one.key for one in waiting] == ["k"]
        finished = await front.brew()
        assert site.store.orders[finished.order_id].status is Status.READY
        assert front.dispatcher.waiting == 0


async def test_a_front_that_closes_refuses_all_who_wait_and_leaves_their_orders() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front, other = await site.open_front(), await site.open_front()
        guests = await seated(front, nursery, 3)
        claim = await front.claimed()
        front.closing.begin(retry_after=4)
        assert await front.dispatcher.close() == {"customers_answered": 3}
        await trio.sleep(1)
        assert [type(guest.refused) for guest in guests] == [ShopClosing] * 3
        assert len(site.of(Status.CANCELLED)) == 2
        assert (await other.desk.finish(FinishOrder(claim.order.order_id))).abandoned
        with pytest.raises(ShopClosing):
            await front.order()
        assert front.dispatcher.waiting == 0


async def test_a_front_that_closes_refuses_baristas_and_answers_those_who_look() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front = await site.open_front()
        placed = await front.order("k", hold=0)
        seen = list[object]()

        async def barista() -> None:
            with pytest.raises(ShopClosing):
                await front.start(hold=600)
            seen.append("refused")

        async def look() -> None:
            seen.append((await front.desk.find(placed.order.order_id, 600)).order.status)

        await front.claimed()
        nursery.start_soon(barista)
        nursery.start_soon(look)
        await trio.sleep(1)
        front.closing.begin(retry_after=4)
        await front.dispatcher.close()
        await trio.sleep(1)
        assert sorted(map(str, seen)) == ["preparation", "refused"]


async def test_what_a_desk_reads_is_read_in_the_house() -> None:
    async with open_site() as site:
        await site.open_house()
        front = await site.open_front()
        wanted = basket()
        message = basket_order(front.desk.ids.new(), wanted, address=ADDRESS, max_waiting=9)
        placed, is_new = await front.desk.place_basket(message)
        order = placed.order
        assert is_new
        assert order.basket == wanted
        page = await front.desk.list_placed(PlacedQuery(statuses=(Status.WAITING,)))
        assert [one.order for one in page.standings] == [order]
        assert [one.order for one in await front.desk.find_many([order.order_id])] == [order]
        [event] = await front.desk.history(order.order_id)
        assert (event.event.action, event.event.after) == ("place", "waiting")
        await front.order("k", hold=0)
        await trio.sleep(1)
        assert front.desk.keys.may_have(ADDRESS, "k", front.ledger.now() - 10)
        other = PlaceOrder(front.desk.ids.new(), "tea", None, ADDRESS, 9, "k", bound=False)
        with pytest.raises(KeyReused):
            await front.desk.place(other, 0)
