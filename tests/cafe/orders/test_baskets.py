"""Baskets: placed once, within the limits or prepaid beyond them, and never bound."""

from __future__ import annotations

import json

import pytest
import trio

from cafe.http.refusals import ShopClosing
from cafe.orders import dispatcher
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import CancelOrder, CloseShop, CutOff, HangUp, PlaceOrder, Standing
from cafe.orders.order import Action, Basket, Order, Status
from cafe.orders.refusals import OrderCancelled, QueueFull, TooManyWaiting
from tests.cafe.ledger.fakes import Disk
from tests.cafe.ledger.order_histories import basket
from tests.cafe.orders.counter import ADDRESS, open_counter, settled
from tests.cafe.orders.test_desk import forget_all_but_one

pytestmark = pytest.mark.schedules(5)
PAID = basket(prepaid=True)


async def test_a_basket_is_brewed_in_its_turn_with_its_lines() -> None:
    async with open_counter() as counter:
        plain = await counter.order(hold=0)
        placed = await counter.placed()
        assert placed.drink == "2 latte (vanilla), water, donuts"
        assert (await counter.claimed()).order.order_id == plain.order.order_id
        claim = await counter.claimed("Bo")
        assert claim.order.basket == placed.basket == basket()
        assert (await counter.finish(claim)).status is Status.READY
        assert counter.store.orders[placed.order_id].status is Status.READY
        assert counter.store.broken_promises() == []


async def test_each_event_of_a_basket_s_order_tells_followers_whose_it_is() -> None:
    async with open_counter() as counter:
        placed = await counter.placed()
        await counter.finish(await counter.claimed())
        await counter.move(placed.order_id, Status.DELIVERED)
        await counter.order(hold=0)
        *of_basket, plain = [one.event for one in counter.logged]
        data = {"number": 1, "account_id": "ada", "total_cents": 1060}
        assert [json.loads(event.data or "") for event in of_basket] == [data] * 4
        assert plain.data is None


async def test_a_basket_s_order_is_not_bound_and_outlives_its_customer() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        placed = await counter.placed()
        nursery.start_soon(counter.desk.find, placed.order_id, 60)
        await settled()
        nursery.cancel_scope.cancel()
    async with open_counter(Rules(unclaimed_seconds=1), store=counter.store.survivor()) as counter:
        await trio.sleep(60)
        assert (await counter.claimed()).order.basket == basket()


async def test_a_ready_basket_stays_ready_until_staff_hand_it_over() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        placed = await counter.placed(key="k")
        seen: list[Standing] = []

        async def wait() -> None:
            seen.append(await counter.desk.find(placed.order_id, 600))

        nursery.start_soon(wait)
        await settled()
        await counter.finish(await counter.claimed())
        await settled()
        assert [one.order.status for one in seen] == [Status.READY]
        again, is_new = await counter.order_basket(key="k")
        assert (again.order.status, is_new) == (Status.READY, False)
        assert counter.numbers(Action.HAND_OVER) == []
        await counter.move(placed.order_id, Status.DELIVERED, "Di")
        assert counter.numbers(Action.HAND_OVER) == [1]


async def test_a_wait_ends_with_the_order_as_it_stands() -> None:
    async with open_counter() as counter:
        placed = await counter.placed()
        began = trio.current_time()
        assert (await counter.desk.find(placed.order_id, 30)).order.status is Status.WAITING
        assert trio.current_time() - began == pytest.approx(30)


# The same id


async def test_a_prepaid_basket_is_placed_once_under_its_id_also_when_it_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_RECENT", 1)
    async with open_counter() as counter:
        order_id = counter.desk.ids.new()
        first, is_new = await counter.order_basket(PAID, order_id=order_id)
        assert is_new

        async def place_again() -> Status:
            again, is_new = await counter.order_basket(PAID, order_id=order_id)
            assert (again.order.number, is_new) == (first.order.number, False)
            return again.order.status

        assert await place_again() is Status.WAITING
        claim = await counter.claimed()
        assert await place_again() is Status.PREPARATION
        await counter.finish(claim)
        assert await place_again() is Status.READY
        await forget_all_but_one(counter)
        assert await place_again() is Status.READY
        assert counter.numbers(Action.PLACE).count(first.order.number) == 1
        assert counter.store.broken_promises() == []


async def test_a_prepaid_basket_that_was_cancelled_is_not_placed_again() -> None:
    async with open_counter() as counter:
        order_id = counter.desk.ids.new()
        await counter.order_basket(PAID, order_id=order_id)
        await counter.desk.cancel(CancelOrder(order_id))
        again, is_new = await counter.order_basket(PAID, order_id=order_id)
        assert (again.order.status, is_new) == (Status.CANCELLED, False)


async def test_placing_that_races_for_one_id_makes_one_order_despite_a_crash() -> None:
    async with open_counter(disk=Disk(0.1)) as counter, trio.open_nursery() as nursery:
        order_id = counter.desk.ids.new()
        got: list[Order] = []

        async def place() -> None:
            standing, _ = await counter.order_basket(PAID, order_id=order_id)
            got.append(standing.order)

        for _ in range(5):
            nursery.start_soon(place)
        await trio.sleep(0.15)
        await counter.crash()
        await trio.sleep(3)
        assert [order.number for order in got] == [1] * 5
        assert len(counter.store.orders) == 1


# Limits


async def test_a_basket_is_placed_within_the_limits_and_a_prepaid_one_beyond_them() -> None:
    async with open_counter(Rules(max_waiting=2)) as counter:
        await counter.order(hold=0)
        with pytest.raises(TooManyWaiting):
            await counter.order_basket(max_waiting=1)
        with pytest.raises(TooManyWaiting):
            await counter.desk.check_room(ADDRESS, 1)
        await counter.desk.check_room(ADDRESS, 2)
        await counter.order_basket(PAID, max_waiting=1)
        with pytest.raises(QueueFull):
            await counter.order_basket()
        with pytest.raises(QueueFull):
            await counter.desk.check_room("192.0.2.9", 400)
        assert (await counter.order_basket(PAID))[1]
        assert len(counter.store.orders) == 3


async def test_a_closing_shop_has_no_room_and_places_no_basket_even_if_it_is_prepaid() -> None:
    async with open_counter() as counter:
        counter.closing.begin(5)
        with pytest.raises(ShopClosing):
            await counter.desk.check_room(ADDRESS, 400)
        for wanted in (basket(), PAID):
            with pytest.raises(ShopClosing):
                await counter.order_basket(wanted)


async def test_a_basket_is_neither_refused_nor_dropped_when_the_shop_closes() -> None:
    async with open_counter() as counter:
        placed = await counter.placed()
        seen: list[Standing] = []

        async def wait() -> None:
            seen.append(await counter.desk.find(placed.order_id, 600))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await settled()
            counter.closing.begin(5)
            await counter.ref.ask(CloseShop())
        assert [one.order.status for one in seen] == [Status.WAITING]
        assert counter.store.orders[placed.order_id].status is Status.WAITING


async def test_a_ban_cancels_the_baskets_of_the_address_that_are_not_paid() -> None:
    async with open_counter() as counter:
        at_counter = await counter.placed(key="a")
        paid = await counter.placed(PAID, key="b")
        assert await counter.ref.ask(CutOff(ADDRESS, 60)) == 1
        assert (await counter.desk.find(at_counter.order_id)).order.status is Status.CANCELLED
        assert (await counter.desk.find(paid.order_id)).order.status is Status.WAITING
        left = counter.store.survivor()
    async with open_counter(store=left) as counter:
        assert await counter.ref.ask(CutOff(ADDRESS, 60)) == 0


# Answers that are lost


@pytest.mark.parametrize(
    ("wanted", "key", "status"),
    [
        (basket(), None, Status.CANCELLED),
        (basket(), "k", Status.WAITING),
        (PAID, None, Status.WAITING),
    ],
)
async def test_a_basket_whose_answer_was_lost_is_withdrawn_unless_it_has_a_key_or_is_paid(
    wanted: Basket, key: str | None, status: Status
) -> None:
    async with open_counter(disk=Disk(1)) as counter:
        with trio.move_on_after(0.5 + wanted.prepaid) as scope:  # while it is committed
            await counter.order_basket(wanted, key=key)
        assert scope.cancelled_caught
        await trio.sleep(10)
        assert [one.status for one in counter.store.orders.values()] == [status]


async def test_no_hang_up_withdraws_a_prepaid_basket() -> None:
    async with open_counter() as counter:
        paid = await counter.placed(PAID)
        at_counter = await counter.placed()
        for order in (paid, at_counter):
            await counter.ref.ask(HangUp(order.order_id))
        assert (await counter.desk.find(paid.order_id)).order.status is Status.WAITING
        assert (await counter.desk.find(at_counter.order_id)).order.status is Status.CANCELLED


async def test_a_plain_order_that_was_cancelled_is_still_refused_under_its_key() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:

        async def order() -> None:
            with pytest.raises(OrderCancelled):
                await counter.order(key="k")

        nursery.start_soon(order)
        await settled()
        [order_id] = counter.store.orders
        await counter.desk.cancel(CancelOrder(order_id))


async def test_a_desk_places_no_plain_order_as_a_basket() -> None:
    async with open_counter() as counter:
        plain = PlaceOrder(counter.desk.ids.new(), "americano", None, ADDRESS, 400)
        with pytest.raises(ValueError, match="no basket"):
            await counter.desk.place_basket(plain)
