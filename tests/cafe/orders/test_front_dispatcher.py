"""A front's ref of the Dispatcher, with the test as the house: what is held, left, asked again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors import ActorCrashed
from cafe.orders.front import RETRY_SECONDS
from cafe.orders.messages import (
    AwaitOrder,
    Claim,
    FindOrder,
    FindOrders,
    HangUp,
    HoldOrders,
    LeaveOrder,
    PlaceOrder,
    ReleaseOrder,
    StartOrder,
)
from cafe.orders.order import Status
from cafe.orders.refusals import UnknownOrder
from tests.cafe.ledger.order_histories import Tickets, basket, cancel, finish, hand_over, start
from tests.cafe.orders.front_on_paper import front, new_order, place, stands

pytestmark = pytest.mark.schedules


async def test_a_placed_order_is_held_so_its_wait_asks_nothing_and_a_second_one_does() -> None:
    order = new_order("k")
    async with front() as here:
        client = await here.awaited(order)
        assert [type(one.message) for one in here.house.asked] == [PlaceOrder]
        here.ask(AwaitOrder(order.order_id))
        await wait_all_tasks_blocked()
        assert isinstance((await here.house.next()).message, HoldOrders)
        ready = finish(start(order).order)
        here.house.commit(ready, hand_over(ready.order))
        await wait_all_tasks_blocked()
        assert client.got.order.status is Status.READY


async def test_holds_and_leaves_are_numbered_one_after_the_other() -> None:
    order = new_order("k")
    async with front() as here:
        first = await here.awaited(order)
        second = here.ask(AwaitOrder(order.order_id))
        (await here.house.next()).reply({order.order_id: stands(order)})
        await wait_all_tasks_blocked()
        second.scope.cancel()
        await wait_all_tasks_blocked()
        assert here.house.tells == []  # the first waits still
        first.scope.cancel()
        await wait_all_tasks_blocked()
        placed, held = (one.message for one in here.house.asked)
        assert here.house.tells == [LeaveOrder("front", order.order_id, 3, hangs_up=True)]
        assert (placed.front, placed.hold, held.hold) == ("front", 1, 2)
        assert here.dispatcher.waiting == 0


async def test_a_timed_wait_that_ends_leaves_its_order_without_a_hang_up() -> None:
    order = new_order()
    async with front() as here:
        await here.placed(order)
        timed = here.ask(AwaitOrder(order.order_id, timed=True))
        await wait_all_tasks_blocked()
        timed.scope.cancel()
        await wait_all_tasks_blocked()
        assert here.house.tells == [LeaveOrder("front", order.order_id, 2, hangs_up=False)]


async def test_an_order_that_has_ended_is_not_left() -> None:
    order = new_order()
    async with front() as here:
        client = await here.awaited(order)
        here.house.commit(cancel(order))
        await wait_all_tasks_blocked()
        assert client.error is not None
        unknown = here.ask(AwaitOrder("unknown"))
        (await here.house.next()).reply({})
        await wait_all_tasks_blocked()
        assert isinstance(unknown.error, UnknownOrder)
        assert here.house.tells == []
        assert here.dispatcher.waiting == 0


@pytest.mark.parametrize("how", ["gap", "new_house", "unclear"])
async def test_a_wait_is_looked_at_after_a_placing_during_which_news_were_missed(how: str) -> None:
    order = new_order()
    ready = finish(start(order).order)
    async with front() as here:
        here.ask(place(order))
        asked = await here.house.next()
        if how == "unclear":
            here.house.commit(ready)
        else:
            await getattr(here.house, how)()
        await wait_all_tasks_blocked()
        if len(here.house.asked) > 1:  # the unclear one is asked about, and still is placed
            here.house.asked[-1].reply({})
            await wait_all_tasks_blocked()
        asked.reply(stands(order))
        await wait_all_tasks_blocked()
        waiting = here.ask(AwaitOrder(order.order_id))
        held = await here.house.next()
        assert isinstance(held.message, HoldOrders)
        held.reply({order.order_id: stands(ready.order)})
        await wait_all_tasks_blocked()
        assert waiting.got.order.status is Status.READY


async def test_an_order_that_a_key_had_already_or_that_has_ended_is_looked_at() -> None:
    other, ended = new_order("k"), cancel(new_order("k")).order
    for found in (other._replace(order_id="another"), ended):
        async with front() as here:
            here.ask(place(other))
            (await here.house.next()).reply(stands(found))
            await wait_all_tasks_blocked()
            assert here.dispatcher.waiting == 0
            here.ask(AwaitOrder(found.order_id))
            assert isinstance((await here.house.next()).message, HoldOrders)


@pytest.mark.parametrize("key", ["k", None])
async def test_a_placing_that_fails_leaves_what_another_order_may_hold_by_its_key(
    key: str | None,
) -> None:
    order = new_order(key)
    async with front() as here:
        client = here.ask(place(order))
        (await here.house.next()).fail(ActorCrashed("Dispatcher"))
        await wait_all_tasks_blocked()
        assert isinstance(client.error, ActorCrashed)
        left = [LeaveOrder("front", order.order_id, 2, hangs_up=False)]
        assert here.house.tells == (left if key else [])
        assert here.dispatcher.waiting == 0


async def test_an_order_that_is_placed_after_its_customer_left_is_hung_up_or_left() -> None:
    plain, keyed = new_order(), new_order("k")
    for message, order, tells in (
        (place(plain), plain, [HangUp(plain.order_id)]),
        (place(keyed), keyed, [LeaveOrder("front", keyed.order_id, 2, hangs_up=False)]),
        (place(keyed), cancel(keyed).order, []),
        (replace(place(plain), bound=False), plain, [HangUp(plain.order_id)]),
    ):
        async with front() as here:
            client = here.ask(message)
            asked = await here.house.next()
            client.scope.cancel()
            await wait_all_tasks_blocked()
            asked.reply_late(stands(order))
            assert here.house.tells == tells
            assert here.dispatcher.waiting == 0


async def test_a_hold_that_is_answered_after_its_customer_left_is_left() -> None:
    order = new_order()
    async with front() as here:
        client = here.ask(AwaitOrder(order.order_id))
        asked = await here.house.next()
        client.scope.cancel()
        await wait_all_tasks_blocked()
        here.house.tells.clear()
        asked.reply_late({order.order_id: stands(order)})
        assert here.house.tells == [LeaveOrder("front", order.order_id, 3, hangs_up=False)]


async def test_a_hold_that_is_answered_late_is_kept_for_another_customer() -> None:
    order = new_order("k")
    async with front() as here:
        leaving = here.ask(AwaitOrder(order.order_id))
        asked = await here.house.next()
        here.ask(AwaitOrder(order.order_id))
        await wait_all_tasks_blocked()
        leaving.scope.cancel()
        await wait_all_tasks_blocked()
        asked.reply_late({order.order_id: stands(order)})
        assert here.house.tells == []


async def test_after_a_gap_what_is_collected_is_held_and_what_is_looked_at_is_found() -> None:
    tickets = Tickets()
    mine, seen, lost = (tickets.place().order for _ in range(3))
    async with front() as here:
        client = await here.awaited(mine)
        gone = await here.awaited(lost)
        looking = here.ask(AwaitOrder(seen.order_id, collects=False))
        found = await here.house.next()
        assert isinstance(found.message, FindOrder)
        found.reply(stands(seen))
        await here.house.gap()
        held = await here.house.next()
        assert held.message == HoldOrders("front", (mine.order_id, lost.order_id), 3)
        held.reply({mine.order_id: stands(mine)})
        looked = await here.house.next()
        assert looked.message == FindOrders((seen.order_id,))
        looked.reply({seen.order_id: stands(cancel(seen).order)})
        await wait_all_tasks_blocked()
        assert looking.got.order.status is Status.CANCELLED
        assert isinstance(gone.error, UnknownOrder)
        assert (client.got, client.error) == (None, None)


async def test_what_was_asked_again_and_failed_is_asked_again_until_it_succeeds() -> None:
    order = new_order()
    async with front() as here:
        client = await here.awaited(order)
        await here.house.new_house()
        for _ in range(3):
            (await here.house.next()).fail(ActorCrashed("Dispatcher"))
            await trio.sleep(1.1 * RETRY_SECONDS)
        (await here.house.next()).reply({order.order_id: stands(finish(start(order).order).order)})
        await wait_all_tasks_blocked()
        assert client.got.order.status is Status.READY
        assert len(here.house.asked) == 5


async def test_what_is_held_again_after_its_customer_left_is_left_again() -> None:
    order = new_order()
    async with front() as here:
        client = await here.awaited(order)
        await here.house.gap()
        held = await here.house.next()
        client.scope.cancel()
        await wait_all_tasks_blocked()
        here.house.tells.clear()
        held.reply({order.order_id: stands(order)})
        await wait_all_tasks_blocked()
        assert here.house.tells == [LeaveOrder("front", order.order_id, 4, hangs_up=False)]


async def test_a_leave_that_has_no_room_is_told_later() -> None:
    order = new_order()
    async with front() as here:
        client = await here.awaited(order)
        here.house.is_full = True
        client.scope.cancel()
        await trio.sleep(3 * RETRY_SECONDS)
        assert here.house.tells == []
        here.house.is_full = False
        await trio.sleep(2 * RETRY_SECONDS)
        assert here.house.tells == [LeaveOrder("front", order.order_id, 2, hangs_up=True)]


async def test_what_a_basket_has_is_kept_from_what_the_house_has_said() -> None:
    order = Tickets().place(basket=basket()).order
    ready = finish(start(order).order)
    for again in (False, True):
        async with front() as here:
            client = here.ask(AwaitOrder(order.order_id, collects=False))
            (await here.house.next()).reply(stands(order._replace(basket=None)))
            if again:
                await here.house.gap()
                (await here.house.next()).reply({order.order_id: stands(order)})
            else:
                client = here.ask(AwaitOrder(order.order_id, collects=False))
                (await here.house.next()).reply(stands(order))
            await wait_all_tasks_blocked()
            here.house.commit(ready)
            await wait_all_tasks_blocked()
            assert client.got.order.basket == order.basket


async def test_a_claim_that_comes_after_its_barista_left_is_released_unless_it_is_keyed() -> None:
    order = start(new_order()).order
    for wish in (StartOrder("Bo", claim="c", waits=True), StartOrder("Bo", claim="c")):
        async with front() as here:
            client = here.ask(wish)
            asked = await here.house.next()
            client.scope.cancel()
            await wait_all_tasks_blocked()
            asked.reply_late(None)
            assert here.house.tells == []
            asked.reply_late(Claim(order, 0))
            assert here.house.tells == [ReleaseOrder(order.order_id, "c")]
    async with front() as here:
        here.ask(StartOrder("Bo", claim="c", keyed=True))
        assert (await here.house.next()).late is None


async def test_a_hang_up_ends_what_is_held_here() -> None:
    order = new_order()
    async with front() as here:
        await here.placed(order)
        assert here.dispatcher.waiting == 1
        here.dispatcher.tell_nowait(HangUp(order.order_id))
        assert here.dispatcher.waiting == 0
        assert here.house.tells == [HangUp(order.order_id)]


async def test_what_is_known_of_an_order_before_it_is_placed_again_does_not_end_its_wait() -> None:
    order = new_order()
    async with front() as here:
        before = await here.awaited(order)
        await here.house.gap()
        held = await here.house.next()
        before.scope.cancel()
        await wait_all_tasks_blocked()
        here.ask(place(order))
        placed = await here.house.next()
        held.reply({})
        await wait_all_tasks_blocked()
        placed.reply(stands(order))
        await wait_all_tasks_blocked()
        client = here.ask(AwaitOrder(order.order_id))
        await wait_all_tasks_blocked()
        assert client.error is None
