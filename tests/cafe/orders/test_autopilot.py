"""The Autopilot: each order one status on at each tick, and none that staff have moved."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from math import inf

import pytest
import trio

from actors import open_system
from cafe.orders import autopilot
from cafe.orders.autopilot import Autopilot, Tick, keep_ticking
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import CancelOrder, FindOrder, ReleaseOrder
from cafe.orders.order import Action, Status
from cafe.shop.shop import RESTART
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import Counter, open_counter, settled, waiting_customers

pytestmark = pytest.mark.schedules(5)
TICK = 60.0
COURSE = (Status.WAITING, Status.PREPARATION, Status.READY, Status.DELIVERED, Status.DELIVERED)


@asynccontextmanager
async def played(counter: Counter, seconds: float = TICK) -> AsyncGenerator[None]:
    """Have an Autopilot play the staff during the block."""
    async with open_system() as system, trio.open_nursery() as nursery:
        make = partial(Autopilot, counter.ref, counter.closing, seconds)
        ref = await system.start(make, name="Autopilot", mailbox=10, restart=RESTART)
        nursery.start_soon(keep_ticking, ref, seconds)
        await trio.sleep(1)  # so that a tick comes a second before each full minute
        yield
        nursery.cancel_scope.cancel()


async def statuses(counter: Counter) -> list[Status]:
    await settled()
    return [order.status for order in counter.store.orders.values()]


async def test_each_order_moves_one_status_on_at_each_tick_until_it_is_delivered() -> None:
    async with open_counter() as counter, played(counter):
        await counter.placed()
        await counter.order(hold=0)
        for status in COURSE:
            assert await statuses(counter) == [status, status]
            await trio.sleep(TICK)
        assert {one.event.by for one in counter.logged[2:]} == {autopilot.NAME}
        assert counter.store.broken_promises() == []


async def test_a_customer_who_waits_is_handed_the_coffee_when_it_is_ready() -> None:
    async with (
        open_counter() as counter,
        trio.open_nursery() as nursery,
        played(counter),
    ):
        [customer] = await waiting_customers(counter, nursery, 1)
        await trio.sleep(TICK)
        assert customer.got is None
        await trio.sleep(TICK)
        assert customer.got is not None
        assert customer.got.order.status is Status.READY
        assert await statuses(counter) == [Status.DELIVERED]


async def test_what_staff_moved_since_the_last_tick_is_left_alone_until_the_next() -> None:
    async with open_counter() as counter, played(counter):
        started, released, untouched = [await counter.placed() for _ in range(3)]
        await counter.move(started.order_id, Status.PREPARATION, "Di")
        await counter.move(released.order_id, Status.PREPARATION, "Di")
        await counter.desk.release(ReleaseOrder(released.order_id))
        await trio.sleep(TICK)
        assert await statuses(counter) == [
            Status.PREPARATION,
            Status.WAITING,
            Status.PREPARATION,
        ]
        await counter.move(untouched.order_id, Status.READY, "Di")
        await trio.sleep(TICK)
        assert await statuses(counter) == [Status.READY, Status.PREPARATION, Status.READY]
        await trio.sleep(TICK)
        assert await statuses(counter) == [Status.DELIVERED, Status.READY, Status.DELIVERED]


async def test_a_customer_who_leaves_or_cancels_is_no_staff() -> None:
    async with open_counter() as counter, played(counter):
        kept = await counter.order(hold=5)  # unbound when the wait is over
        cancelled = await counter.placed()
        await counter.desk.cancel(CancelOrder(cancelled.order_id))
        await trio.sleep(TICK)
        assert (await counter.desk.find(kept.order.order_id)).order.status is Status.PREPARATION
        assert (await counter.desk.find(cancelled.order_id)).order.status is Status.CANCELLED


async def test_what_stands_in_the_middle_at_the_start_is_left_alone_for_one_tick() -> None:
    store = FaultyStore()
    async with open_counter(store=store) as counter:
        order = await counter.placed()
        await counter.move(order.order_id, Status.PREPARATION, "Di")
    async with open_counter(store=store.survivor()) as counter, played(counter):
        await trio.sleep(TICK)
        assert await statuses(counter) == [Status.PREPARATION]
        await trio.sleep(TICK)
        assert await statuses(counter) == [Status.READY]


async def test_a_slow_autopilot_s_claims_hold_until_its_next_tick() -> None:
    async with open_counter(Rules(lease_seconds=30)) as counter, played(counter):
        await counter.placed()
        await trio.sleep(4 * TICK)
        assert await statuses(counter) == [Status.DELIVERED]
        assert counter.numbers(Action.EXPIRE) == []


async def test_many_orders_are_played_in_pages_each_once_a_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(autopilot, "PAGE", 3)
    async with open_counter() as counter, played(counter):
        for _ in range(10):
            await counter.placed()
        for status in (Status.PREPARATION, Status.READY, Status.DELIVERED):
            await trio.sleep(TICK)
            assert await statuses(counter) == [status] * 10


async def test_others_are_served_while_a_tick_is_under_way() -> None:
    async with open_counter(disk=Disk(1)) as counter, played(counter), trio.open_nursery() as group:
        for _ in range(20):
            group.start_soon(counter.placed)
        await trio.sleep(TICK)  # the tick takes twenty seconds, one for each commit
        order_id = next(iter(counter.store.orders))
        began = trio.current_time()
        await counter.ref.ask(FindOrder(order_id))
        await counter.order(hold=0)
        assert trio.current_time() - began < 4


async def test_a_long_tick_is_not_caught_up() -> None:
    async with open_counter() as counter, played(counter):
        await counter.placed()
        await trio.sleep(TICK - 2)
        counter.store.link.gone = True
        await trio.sleep(1.5 * TICK)
        counter.store.link.gone = False
        await trio.sleep(10)
        assert await statuses(counter) == [Status.PREPARATION]
        await trio.sleep(TICK)
        assert await statuses(counter) == [Status.READY]


async def test_an_order_that_moves_while_it_is_asked_for_is_left_as_it_is() -> None:
    async with open_counter(disk=Disk(1)) as counter, played(counter):
        first, second = await counter.placed(), await counter.placed()
        await trio.sleep(TICK - 3.5)  # the tick is at the first
        await counter.desk.cancel(CancelOrder(second.order_id))
        await trio.sleep(5)
        assert (await counter.desk.find(first.order_id)).order.status is Status.PREPARATION
        assert (await counter.desk.find(second.order_id)).order.status is Status.CANCELLED


async def test_it_lives_through_crashes_of_the_dispatcher() -> None:
    async with open_counter() as counter, played(counter):
        await counter.placed()
        for _ in range(4):
            await trio.sleep(TICK / 2)
            await counter.crash()
            await trio.sleep(TICK / 2)
        assert await statuses(counter) == [Status.DELIVERED]


async def test_it_starts_nothing_once_the_shop_is_closing() -> None:
    async with open_counter() as counter, played(counter):
        order = await counter.placed()
        await trio.sleep(TICK)
        counter.closing.begin(5)
        await trio.sleep(2 * TICK)
        assert counter.store.orders[order.order_id].status is Status.PREPARATION


async def test_one_tick_can_be_asked_for() -> None:
    async with open_counter() as counter, open_system() as system:
        make = partial(Autopilot, counter.ref, counter.closing, inf)
        ref = await system.start(make, name="Autopilot", mailbox=10, restart=RESTART)
        await counter.placed()
        await ref.ask(Tick())
        assert await statuses(counter) == [Status.PREPARATION]
