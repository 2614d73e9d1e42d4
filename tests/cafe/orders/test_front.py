"""Orders at a front: customers wait there and are served, whatever the bus and the house do."""

from __future__ import annotations

import pytest
import trio

from cafe.bus.streams import Names
from cafe.http.refusals import ShopClosing
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import (
    AwaitOrder,
    CancelOrder,
    CutOff,
    FindOrder,
    FinishOrder,
    PlaceOrder,
    StartOrder,
)
from cafe.orders.order import Action, Status
from cafe.orders.refusals import CutOffFromQueue, OrderCancelled, UnknownOrder
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
        assert front.line.open == 0
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
        await front.brew()
        await trio.sleep(1)
        assert staying.is_ready or (await front.start()) is None
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


async def test_a_front_that_dies_leaves_its_orders_and_no_others() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        dying, other = await site.open_front(), await site.open_front()
        await seated(dying, nursery, 2)
        await seated(dying, nursery, 1, "k")
        [staying] = await seated(other, nursery, 1)
        dying.scope.cancel()
        await trio.sleep(10)
        assert len(site.of(Status.CANCELLED)) == 2
        assert len(site.of(Status.WAITING)) == 2
        assert await brew_all(other) == 2
        assert staying.is_ready
        assert {one.key: one.status for one in site.store.orders.values() if one.key} == {
            "k": Status.READY
        }
        nursery.cancel_scope.cancel()


async def test_a_front_that_closes_refuses_all_who_wait_and_leaves_their_orders() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front = await site.open_front()
        guests = await seated(front, nursery, 3)
        claims = list[object]()

        async def barista() -> None:
            with pytest.raises(ShopClosing):
                claims.append(await front.start(hold=600))
            claims.append("refused")

        claim = await front.claimed()
        await front.order(hold=0)
        await front.brew()
        await front.brew()
        await front.brew()
        [late] = await seated(front, nursery, 1)
        await front.claimed()
        nursery.start_soon(barista)
        await trio.sleep(1)
        front.closing.begin(retry_after=4)
        closed = await front.dispatcher.close()
        await trio.sleep(1)
        assert closed == {"customers_answered": 2}
        assert isinstance(late.refused, ShopClosing)
        assert isinstance(guests[claim.order.number - 1].refused, ShopClosing)
        assert claims == ["refused"]
        with pytest.raises(ShopClosing):
            await front.order()


async def test_the_dispatcher_crashes_and_customers_at_fronts_do_not_notice() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        counter = await site.open_house()
        front = await site.open_front()
        guests = await seated(front, nursery, 5)
        await counter.crash()
        await trio.sleep(30)
        assert await brew_all(front) == 5
        assert all(guest.is_ready for guest in guests)
        assert len(site.of(Status.DELIVERED)) == 5


@pytest.mark.parametrize("away", [0.0, 3.0])
async def test_hundreds_wait_through_a_fail_over_and_each_is_handed_one_coffee(away: float) -> None:
    async with open_site(Rules(has_fronts=True, unclaimed_seconds=10)) as site:
        async with trio.open_nursery() as nursery:
            await site.open_house()
            front, other = await site.open_front(), await site.open_front()
            guests = [
                *await seated(front, nursery, 150),
                *await seated(other, nursery, 50),
                *await seated(other, nursery, 1, "k"),
            ]
            claims = [await other.claimed() for _ in range(5)]
            await site.fail_over(away)
            # Before the fronts have said what they hold: they collect it then.
            for claim in claims:
                await other.desk.finish(FinishOrder(claim.order.order_id))
            await trio.sleep(25)
            assert await brew_all(other) == 196
            assert all(guest.is_ready for guest in guests)
        assert {one.status for one in site.store.orders.values()} == {Status.DELIVERED}
        assert len(site.store.orders) == 201
        assert site.store.broken_promises() == []


async def test_a_customer_who_hangs_up_while_there_is_no_house_is_not_brewed_for() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front = await site.open_front()
        leaving, staying = await seated(front, nursery, 2)

        async def leave() -> None:
            await trio.sleep(1)
            leaving.disconnect()

        nursery.start_soon(leave)
        await site.fail_over(away=3)
        await trio.sleep(25)
        assert await brew_all(front) == 1
        assert staying.is_ready
        assert not leaving.is_ready


async def test_what_ends_while_a_front_misses_the_log_is_answered_when_it_is_back() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        counter = await site.open_house()
        front = await site.open_front()
        guests = await seated(front, nursery, 4)
        site.memory.cut_off.add(Names().log)
        await counter.finish(await counter.claimed())
        order = (await counter.claimed()).order
        await counter.desk.finish(FinishOrder(order.order_id))
        await trio.sleep(1)
        assert not any(guest.is_ready for guest in guests)
        site.memory.cut_off.clear()
        await trio.sleep(3)
        assert [guest.is_ready for guest in guests].count(True) == 2
        assert front.desk.keys.may_have(ADDRESS, "k", front.ledger.now() - 10) is False
        assert [cup.number for cup in front.board.show(front.ledger.now()).ready] == [2, 1]
        nursery.cancel_scope.cancel()


async def test_redis_that_is_restarted_empty_loses_no_wait() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front = await site.open_front()
        guests = await seated(front, nursery, 5)
        site.memory.is_gone = True
        await trio.sleep(20)
        site.memory.forget()
        site.memory.is_gone = False
        await trio.sleep(5)
        assert await brew_all(front) == 5
        assert all(guest.is_ready for guest in guests)


async def test_an_order_that_was_placed_before_its_front_died_is_found_by_its_id() -> None:
    async with open_site() as site:
        await site.open_house()
        front = await site.open_front()
        placed = await front.dispatcher.ask(PlaceOrder("lost", "americano", None, ADDRESS, 4))
        assert placed.order.order_id == "lost"
        seen = await front.dispatcher.ask(FindOrder("lost"))
        assert seen.order.status is Status.WAITING
        front.scope.cancel()
        await trio.sleep(10)
        assert [one.status for one in site.store.orders.values()] == [Status.CANCELLED]
        assert Action.ABANDON in {one.event.action for one in site.store.logged}
