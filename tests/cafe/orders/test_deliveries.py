"""Orders that a courier brings: published, handed over, called off, and by nothing else."""

from __future__ import annotations

import pytest
import trio

from cafe.http.refusals import ShopClosing
from cafe.orders import dispatcher
from cafe.orders.autopilot import Autopilot, Tick
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import (
    CancelOrder,
    CollectOrder,
    FinishOrder,
    NeedsCourier,
    OrderConflict,
    PublishOrder,
    ReleaseOrder,
    UnknownOrder,
)
from cafe.orders.order import Action, Order, Status
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.ledger.order_histories import HARBOUR, basket
from tests.cafe.orders.counter import Counter, open_counter, settled
from tests.cafe.orders.test_desk import forget_all_but_one

pytestmark = pytest.mark.schedules(5)


async def at(counter: Counter, status: Status) -> Order:
    """Return an order of a basket that a courier brings, and that stands so."""
    order = await counter.placed(destination=HARBOUR)
    if status in {Status.PREPARATION, Status.READY, Status.DELIVERED}:
        order = (await counter.move(order.order_id, Status.PREPARATION)).order
    if status in {Status.READY, Status.DELIVERED}:
        order = (await counter.move(order.order_id, Status.READY)).order
    if status is Status.DELIVERED:
        order = (await counter.desk.hand_over(order.order_id)).order
    if status is Status.CANCELLED:
        order = (await counter.desk.cancel(CancelOrder(order.order_id))).order
    return order


async def test_what_staff_publish_is_ready_and_handed_over_by_its_courier() -> None:
    async with open_counter() as counter:
        before = await counter.order(hold=0)
        published = await counter.publish()
        assert (published.number, published.drink) == (2, "2 sandwiches")
        assert (published.status, published.destination) == (Status.READY, HARBOUR)
        assert (await counter.claimed()).order.order_id == before.order.order_id
        assert await counter.start() is None
        await trio.sleep(10)
        brought = await counter.desk.hand_over(published.order_id, "Cleo")
        assert (brought.order.status, brought.waited_seconds) == (Status.DELIVERED, 0.0)
        events = [one.event for one in counter.logged if one.event.subject == published.order_id]
        assert [(one.action, one.by) for one in events] == [
            ("publish", "Di"),
            ("hand over", "Cleo"),
        ]
        assert counter.store.orders[published.order_id] == brought.order
        assert counter.store.broken_promises() == []


async def test_what_is_repeated_is_done_once_and_answered_the_same() -> None:
    async with open_counter() as counter:
        first = await counter.publish()
        assert await counter.publish(first.order_id) == first
        for _ in range(2):
            assert (await counter.desk.hand_over(first.order_id)).order.ended
        assert (await counter.publish(first.order_id)).status is Status.DELIVERED
        second = await counter.publish()
        for _ in range(2):
            await counter.desk.call_off(second.order_id, "Di", "nobody was there")
        assert (await counter.publish(second.order_id)).status is Status.CANCELLED
        assert [one.event.action for one in counter.logged] == [
            "publish",
            "hand over",
            "publish",
            "call off",
        ]
        last = counter.logged[-1].event
        assert (last.by, last.reason) == ("Di", "nobody was there")


async def test_many_commands_at_once_take_effect_once() -> None:
    async with open_counter(disk=Disk(0.1)) as counter, trio.open_nursery() as nursery:
        order_id, seen, refused = counter.desk.ids.new(), list[str](), list[str]()
        one = await at(counter, Status.READY)

        async def end(*, calls_off: bool) -> None:
            ask = counter.desk.call_off if calls_off else counter.desk.hand_over
            try:
                seen.append((await ask(one.order_id)).order.status)
            except OrderConflict as no:
                refused.append(no.order_status)

        for number in range(10):
            nursery.start_soon(counter.publish, order_id)
            nursery.start_soon(lambda calls_off: end(calls_off=calls_off), number % 2 == 0)
        await trio.sleep(2)
        assert len(seen) == len(refused) == 5
        assert set(seen) == set(refused), "handed over and called off"
        assert len(set(seen)) == 1
        assert len(counter.numbers(Action.PUBLISH)) == 1
        assert len(counter.numbers(Action.HAND_OVER) + counter.numbers(Action.CALL_OFF)) == 1
        assert counter.store.broken_promises() == []


@pytest.mark.parametrize("status", [Status.WAITING, Status.PREPARATION, Status.CANCELLED])
async def test_what_is_not_ready_is_not_handed_over(status: Status) -> None:
    async with open_counter() as counter:
        order = await at(counter, status)
        with pytest.raises(OrderConflict) as caught:
            await counter.desk.hand_over(order.order_id)
        assert (caught.value.status, caught.value.order_status) == (409, status)
        assert counter.store.orders[order.order_id] == order


@pytest.mark.parametrize("status", [Status.WAITING, Status.PREPARATION, Status.DELIVERED])
async def test_what_is_not_ready_is_not_called_off(status: Status) -> None:
    async with open_counter() as counter:
        order = await at(counter, status)
        with pytest.raises(OrderConflict) as caught:
            await counter.desk.call_off(order.order_id)
        assert (caught.value.status, caught.value.order_status) == (409, status)
        assert counter.store.orders[order.order_id] == order


@pytest.mark.parametrize("status", [Status.READY, Status.CANCELLED])
async def test_an_order_of_the_counter_is_no_courier_s(status: Status) -> None:
    async with open_counter() as counter:
        order = (await counter.order(hold=0)).order
        if status is Status.CANCELLED:
            await counter.desk.cancel(CancelOrder(order.order_id))
        else:
            await counter.finish(await counter.claimed())
        for ask in (counter.desk.hand_over, counter.desk.call_off):
            with pytest.raises(OrderConflict) as caught:
                await ask(order.order_id)
            assert caught.value.order_status is status


async def test_an_order_that_there_is_not_is_unknown() -> None:
    async with open_counter() as counter:
        for order_id in ("x", "\0", counter.desk.ids.new()):
            for ask in (counter.desk.hand_over, counter.desk.call_off):
                with pytest.raises(UnknownOrder):
                    await ask(order_id)


async def test_staff_do_not_hand_over_what_needs_a_courier() -> None:
    async with open_counter() as counter:
        for order in (await at(counter, Status.READY), await counter.publish()):
            with pytest.raises(NeedsCourier) as caught:
                await counter.move(order.order_id, Status.DELIVERED, "Di")
            assert caught.value.status == 409
            assert caught.value.problem_members() == {"order_status": "ready"}
            assert counter.store.orders[order.order_id] == order
            # A barista's commands leave it as it is, too.
            assert await counter.desk.finish(FinishOrder(order.order_id)) == order
            with pytest.raises(OrderConflict):
                await counter.desk.release(ReleaseOrder(order.order_id))
            with pytest.raises(OrderConflict):
                await counter.desk.cancel(CancelOrder(order.order_id))


async def test_a_customer_who_waits_is_told_when_it_is_ready_and_is_not_handed_it() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        order = await at(counter, Status.PREPARATION)
        seen: list[Status] = []

        async def look() -> None:
            seen.append((await counter.desk.find(order.order_id, 60)).order.status)

        nursery.start_soon(look)
        await settled()
        await counter.move(order.order_id, Status.READY)
        await settled()
        assert seen == [Status.READY]
        ready = counter.store.orders[order.order_id]
        assert (await counter.ref.ask(CollectOrder(ready))).order == ready
        assert counter.numbers(Action.HAND_OVER) == []


async def test_the_autopilot_leaves_what_is_ready_to_the_courier() -> None:
    async with open_counter() as counter:
        autopilot = Autopilot(counter.ref, counter.closing, 1.0)
        brought, published = await at(counter, Status.WAITING), await counter.publish()
        plain = await counter.order(hold=0)
        for _ in range(5):
            await autopilot.tick(Tick())
        stored = counter.store.orders
        assert stored[plain.order.order_id].status is Status.DELIVERED
        assert stored[brought.order_id].status is Status.READY
        assert stored[published.order_id] == published


async def test_what_was_called_off_keeps_its_times_and_is_in_no_barista_s_hands() -> None:
    async with open_counter() as counter:
        order = await at(counter, Status.READY)
        await trio.sleep(10)
        called_off = (await counter.desk.call_off(order.order_id)).order
        kept = called_off._replace(
            status=Status.READY, barista=order.barista, lease_expires_at=order.lease_expires_at
        )
        assert kept == order
        assert counter.store.broken_promises() == []


async def test_no_limit_of_the_queue_refuses_what_is_published() -> None:
    async with open_counter(Rules(max_waiting=1)) as counter:
        await counter.order(hold=0)
        assert (await counter.publish()).status is Status.READY


async def test_a_closing_shop_publishes_nothing_and_still_hands_over_and_calls_off() -> None:
    async with open_counter() as counter:
        first, second = await counter.publish(), await counter.publish()
        counter.closing.begin(5)
        with pytest.raises(ShopClosing):
            await counter.publish()
        assert await counter.publish(first.order_id) == first
        await counter.desk.hand_over(first.order_id)
        await counter.desk.call_off(second.order_id)


async def test_what_memory_has_forgotten_is_found_in_the_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_RECENT", 1)
    store = FaultyStore()
    async with open_counter(store=store) as counter:
        first, second = await counter.publish(), await at(counter, Status.READY)
    async with open_counter(store=store.survivor()) as counter:
        await forget_all_but_one(counter)
        assert (await counter.desk.hand_over(first.order_id)).order.destination == HARBOUR
        assert (await counter.desk.call_off(second.order_id)).order.basket == second.basket
        await forget_all_but_one(counter)
        again = await counter.desk.publish(PublishOrder(first.order_id, "other", HARBOUR))
        assert (again.order.status, again.order.drink) == (Status.DELIVERED, first.drink)
        assert (await counter.desk.hand_over(first.order_id)).order.ended
        with pytest.raises(OrderConflict):
            await counter.desk.call_off(first.order_id)
        assert counter.store.broken_promises() == []


async def test_each_command_survives_a_crash_after_its_commit() -> None:
    async with open_counter() as counter:
        order = await at(counter, Status.READY)
        published = counter.desk.ids.new()
        commands = (
            lambda: counter.publish(published),
            lambda: counter.desk.hand_over(published),
            lambda: counter.desk.call_off(order.order_id),
        )
        for command in commands:
            async with trio.open_nursery() as nursery:
                counter.store.link.mute = 1  # so the committer retries, after a quarter of a second
                nursery.start_soon(command)
                await trio.sleep(0.1)
                await counter.crash()
        actions = [one.event.action for one in counter.logged[-3:]]
        assert actions == ["publish", "hand over", "call off"]
        assert counter.store.broken_promises() == []


async def test_a_basket_with_a_destination_is_otherwise_like_any_other() -> None:
    async with open_counter() as counter:
        first = await counter.placed(basket(), key="k", destination=HARBOUR)
        assert first.destination == HARBOUR
        again, is_new = await counter.order_basket(basket(), key="k", destination=HARBOUR)
        assert (again.order, is_new) == (first, False)
        await counter.crash()
        assert (await counter.claimed()).order.destination == HARBOUR
        assert (await counter.desk.release(ReleaseOrder(first.order_id))).destination == HARBOUR
        cancelled = await counter.desk.cancel(CancelOrder(first.order_id))
        assert cancelled.order.status is Status.CANCELLED
