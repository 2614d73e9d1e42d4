"""Shutdown, with and without a database: every request that waits is answered in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from cafe.http.refusals import CafeRefusal, ShopClosing
from cafe.ledger.errors import LedgerUnavailable, NotRecorded
from cafe.orders.messages import CloseShop, ListOrders
from cafe.orders.order import Status
from tests.cafe.ledger.fakes import REFUSED
from tests.cafe.orders.counter import open_counter, settled, waiting_customers
from tests.cafe.orders.test_ledger_trouble import repair

pytestmark = pytest.mark.schedules


async def test_shutdown_refuses_also_requests_that_would_wait_for_ever() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        customers = await waiting_customers(counter, nursery, 2)
        claim = await counter.claimed()
        counter.store.link.gone = True
        with pytest.raises(LedgerUnavailable):
            await counter.finish(claim)
        counter.closing.begin(retry_after=4)
        assert await counter.ref.ask(CloseShop()) == 1  # the commit of the other one is under way
        await settled()
        assert isinstance(customers[1].refused, ShopClosing)
        counter.ledger.give_up()
        await settled()
        assert isinstance(customers[0].refused, LedgerUnavailable)
        counter.store.link.gone = False


async def test_shutdown_answers_every_request_though_the_dispatcher_cannot_restart() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        customers = await waiting_customers(counter, nursery, 3)
        counter.store.link.gone = True
        await counter.crash()
        refusals: list[type[Exception]] = []

        async def ask(what: Callable[[], Awaitable[object]]) -> None:
            try:
                await what()
            except CafeRefusal as refusal:
                refusals.append(type(refusal))

        for what in (
            counter.order,
            partial(counter.order, key="k"),
            partial(counter.start, hold=40),
            partial(counter.desk.find, counter.desk.ids.new(), 9),
            partial(counter.desk.list, ListOrders()),
        ):
            nursery.start_soon(ask, what)
        await settled()
        began = trio.current_time()
        counter.closing.begin(retry_after=4)
        await trio.sleep(1)
        counter.ledger.give_up()
        await settled()
        assert trio.current_time() - began == pytest.approx(1)
        assert all(customer.refused is not None for customer in customers)
        assert len(refusals) == 5
        counter.store.link.gone = False


async def test_a_claimed_order_can_be_finished_after_a_crash_during_shutdown() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        customers = await waiting_customers(counter, nursery, 2)
        claim = await counter.claimed("Bo")
        counter.closing.begin(retry_after=4)
        await counter.crash()
        assert (await counter.finish(claim)).status is Status.READY
        await settled()
        assert await counter.ref.ask(CloseShop()) == 0  # they have been answered
        assert customers[0].got or isinstance(customers[0].refused, ShopClosing)
        assert isinstance(customers[1].refused, ShopClosing)
        with pytest.raises(ShopClosing):
            await counter.start("Bo")
        assert counter.store.broken_promises() == []


@pytest.mark.parametrize("seconds", [0.4, 2.0])
async def test_a_crashed_dispatcher_may_load_its_orders_until_the_ledger_gives_up(
    seconds: float,
) -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await counter.order(key="k", hold=0)
        claim = await counter.claimed("Bo")
        counter.closing.begin(retry_after=4)
        counter.store.link.gone = True
        nursery.start_soon(repair, counter.store, seconds)
        await counter.crash()
        replies: list[Status | str] = []

        async def finish() -> None:
            try:
                replies.append((await counter.finish(claim)).status)
            except LedgerUnavailable as refusal:
                replies.append(refusal.reason)

        nursery.start_soon(finish)
        await trio.sleep(1)
        counter.ledger.give_up()
        await settled()
        assert replies == [Status.READY if seconds < 1 else "ledger"]


async def test_waiting_customers_are_refused_in_time_though_the_orders_cannot_be_loaded() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        customers = await waiting_customers(counter, nursery, 2)

        async def order_refused() -> None:
            with pytest.raises(NotRecorded):
                await counter.order(name=REFUSED)

        counter.disk.seconds = 1
        nursery.start_soon(order_refused)
        await trio.sleep(1.5)  # the database has refused it, and the orders are being loaded
        counter.store.link.gone = True
        await trio.sleep(1)
        counter.closing.begin(retry_after=4)
        with trio.move_on_after(1) as scope:
            await counter.ref.ask(CloseShop())
        assert scope.cancelled_caught
        counter.ledger.give_up()
        await settled()
        assert all(isinstance(customer.refused, ShopClosing) for customer in customers)
        assert counter.ref.statistics().crashed == 0
        counter.store.link.gone = False


async def test_a_look_up_that_hangs_is_refused_at_the_end_of_the_shutdown() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.disk.seconds = 100
        refusals: list[type[Exception]] = []

        async def look() -> None:
            try:
                await counter.desk.find(counter.desk.ids.new())
            except CafeRefusal as refusal:
                refusals.append(type(refusal))

        nursery.start_soon(look)
        await trio.sleep(0.5)
        nursery.start_soon(look)
        await trio.sleep(0.5)
        counter.ledger.give_up()
        await settled()
        assert refusals == [LedgerUnavailable] * 2
        assert trio.current_time() == pytest.approx(1)
        await look()
        assert len(refusals) == 3
        nursery.cancel_scope.cancel()
