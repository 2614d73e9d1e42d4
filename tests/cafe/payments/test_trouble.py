"""Payments while actors crash, customers hang up, rows are refused, and the shop closes."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from cafe.http.refusals import CafeRefusal, ShopClosing
from cafe.orders.messages import CancelOrder
from cafe.payments.messages import AnswerCustomers
from cafe.payments.payment import Status
from cafe.payments.refusals import (
    NotPlaced,
    PaymentUnknown,
)
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.payments.rig import payments_in, rigged, the_only
from tests.cafe.payments.world import Mood

DAY = 86_400.0

pytestmark = pytest.mark.schedules(5)


async def test_an_order_cancelled_after_a_restart_is_refunded() -> None:
    async with rigged() as rig:
        order = (await rig.order()).standing.order
        await rig.followed()
        await rig.crash()
        await rig.till.desk.cancel(CancelOrder(order.order_id))
        await trio.sleep(1)
        assert the_only(rig).status is Status.REFUNDED


async def test_a_customer_who_hangs_up_is_charged_and_gets_the_order() -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(before=2.0)
        with trio.move_on_after(1.0):
            await rig.order(key="k")
        await trio.sleep(5)
        ordered = await rig.order(key="k")
        assert not ordered.is_new
        assert len(rig.world.charged) == 1


async def test_a_crash_of_the_cashier_charges_no_one_twice() -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(before=1.0, after=1.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: rig.order(key="k"))
            await trio.sleep(1.5)
            await rig.crash()
        assert len(rig.world.charged) == 1
        assert len(rig.world.asked) == 1
        await rig.followed()
        assert the_only(rig).status is Status.PLACED


async def test_an_intent_that_was_never_asked_for_is_withdrawn_at_the_start() -> None:
    store = FaultyStore()
    async with rigged(store, callers=1) as rig:
        rig.world.mood = Mood(before=5.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: rig.order(key="first"))
            await trio.sleep(0.5)
            nursery.start_soon(lambda: rig.order(key="second"))
            await trio.sleep(0.5)
            store = store.survivor()
            nursery.cancel_scope.cancel()
    async with rigged(store) as rig:
        await trio.sleep(30)
        first, second = payments_in(rig.store)
        assert (first.key, first.status) == ("first", Status.PLACED)
        assert (second.key, second.status) == (None, Status.REFUSED)
        assert len(rig.world.charged) == 1
        assert (await rig.order(key="second")).is_new


async def test_what_the_database_refuses_to_queue_is_given_back() -> None:
    async with rigged() as rig:
        with rig.store.link.transaction(writing=True) as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER no_lines BEFORE INSERT ON order_lines"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        with pytest.raises(NotPlaced):
            await rig.order(key="k")
        await trio.sleep(5)
        assert the_only(rig).status is Status.REFUNDED
        assert len(rig.world.refunded) == 1


async def test_who_waits_as_the_shop_closes_is_answered_and_still_gets_the_order() -> None:
    store = FaultyStore()
    refused: list[CafeRefusal] = []
    async with rigged(store) as rig:
        rig.world.mood = Mood(before=0.5, after=60.0)

        async def order() -> None:
            try:
                await rig.order(key="k")
            except CafeRefusal as no:
                refused.append(no)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(order)
            await trio.sleep(1)
            rig.counter.closing.begin(5)
            assert await rig.cashier.ask(AnswerCustomers()) == 1
        with pytest.raises(ShopClosing):
            await rig.order()
        store = store.survivor()
    assert [type(one) for one in refused] == [ShopClosing]
    async with rigged(store) as rig:
        await trio.sleep(2)
        assert not (await rig.order(key="k")).is_new


async def test_a_cancel_that_races_a_barista_ends_in_a_refund_or_in_a_coffee() -> None:
    async with rigged() as rig:
        orders = [(await rig.order()).standing.order.order_id for _ in range(3)]

        async def cancel(order_id: str) -> None:
            with suppress(CafeRefusal):
                await rig.till.desk.cancel(CancelOrder(order_id))

        async with trio.open_nursery() as nursery:
            for order_id in orders:
                nursery.start_soon(cancel, order_id)
                nursery.start_soon(rig.counter.start)
        await rig.followed()
        await trio.sleep(1)
        given_back = {one.order_id for one in payments_in(rig.store) if one.refund_status}
        cancelled = {one.order_id for one in rig.store.orders.values() if one.status == "cancelled"}
        assert given_back == cancelled
        assert len(rig.world.refunded) == len(cancelled)


async def test_a_hang_up_in_the_moment_of_the_answer_loses_no_order() -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(before=1.0)
        with trio.move_on_after(1.0):
            await rig.order(key="k")
        await trio.sleep(1)
        assert (await rig.order(key="k")).standing.order.order_id in rig.store.orders
        assert len(rig.store.orders) == len(rig.world.charged) == 1


async def test_a_row_that_is_refused_is_its_own_customers_trouble() -> None:
    async with rigged() as rig:
        with rig.store.link.transaction(writing=True) as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER no_bad BEFORE INSERT ON payments WHEN NEW.key = 'bad'"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        rig.world.mood = Mood(before=1.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: rig.order(key="good"))
            await trio.sleep(0.5)
            with pytest.raises(CafeRefusal):
                await rig.order(key="bad")
        assert len(rig.world.charged) == len(rig.store.orders) == 1


async def test_who_may_be_charged_after_an_outage_is_told_so() -> None:
    async with rigged() as rig:
        rig.store.link.gone = True
        began = trio.current_time()
        with pytest.raises(PaymentUnknown):
            await rig.order()
        assert trio.current_time() - began == pytest.approx(5)
        rig.store.link.gone = False
        await trio.sleep(30)
        await rig.followed()
        assert the_only(rig).status is Status.PLACED
        assert len(rig.world.charged) == 1
