"""What becomes of one payment, whatever the provider does: under several schedules each."""

from __future__ import annotations

import pytest
import trio

from cafe.orders.messages import CancelOrder
from cafe.orders.order import Status as OrderStatus
from cafe.payments.payment import Status
from cafe.payments.refusals import (
    PaymentRefused,
    PaymentUnknown,
    ProviderUnavailable,
    StillRunning,
    WrongTotal,
)
from tests.cafe.payments.rig import LATTE, WATER, payments_in, rigged, the_only
from tests.cafe.payments.world import Mood

DAY = 86_400.0

pytestmark = pytest.mark.schedules(5)


async def test_a_basket_is_charged_once_and_queued() -> None:
    async with rigged() as rig:
        ordered = await rig.order(total_cents=860)
        assert ordered.standing.order.status is OrderStatus.WAITING
        assert ordered.standing.order.basket is not None
        assert ordered.standing.order.prepaid
        assert (ordered.payment, ordered.is_new) == (Status.PLACED, True)
        assert list(rig.world.charged.values()) == [860]
        await rig.followed()
        payment = the_only(rig)
        assert payment.status is Status.PLACED
        assert payment.order_id == ordered.standing.order.order_id
        assert payment.number == ordered.standing.order.number
        assert (payment.charge_status, payment.charge_ref) == (200, "id")
        looked_at = await rig.till.find(payment.order_id)
        assert (ordered.charge_status, looked_at.charge_status) == (200, 200)


async def test_a_refused_payment_is_final_for_its_key_and_orders_nothing() -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(refuses=True)
        for _ in range(3):
            with pytest.raises(PaymentRefused):
                await rig.order(key="k")
        assert len(rig.world.asked) == 1
        assert the_only(rig).status is Status.REFUSED
        assert rig.store.orders == {}


async def test_a_provider_that_is_not_reached_leaves_the_key_free() -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(is_up=False)
        with pytest.raises(ProviderUnavailable):
            await rig.order(key="k")
        rig.world.mood = Mood()
        ordered = await rig.order(key="k")
        assert ordered.is_new
        assert payments_in(rig.store)[0].status is Status.REFUSED
        assert len(rig.world.charged) == 1


async def test_fifty_at_once_with_one_key_are_charged_once() -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(before=0.5, after=0.5)
        got: list[str] = []
        running: list[StillRunning] = []

        async def order() -> None:
            try:
                got.append((await rig.order(key="k")).standing.order.order_id)
            except StillRunning as still:
                running.append(still)

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(order)
        assert len(got) + len(running) == 50
        assert got
        replayed = await rig.order(key="k")
        assert {*got, replayed.standing.order.order_id} == {got[0]}
        assert not replayed.is_new
        assert len(rig.world.charged) == 1


async def test_a_time_out_is_asked_again_with_the_same_key_until_it_is_known() -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(after=100.0)
        with pytest.raises(PaymentUnknown):
            await rig.order(key="k")
        with pytest.raises(StillRunning):
            await rig.order(key="k")
        rig.world.mood = Mood()
        await trio.sleep(60)
        ordered = await rig.order(key="k")
        assert not ordered.is_new
        assert len(set(rig.world.asked)) == 1 < len(rig.world.asked)
        assert len(rig.world.charged) == 1


async def test_a_charge_whose_answer_came_too_late_is_given_back() -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(fails_late=True)
        with pytest.raises(PaymentUnknown):
            await rig.order(key="k")
        await trio.sleep(400)
        rig.world.mood = Mood()
        await trio.sleep(120)
        assert the_only(rig).status is Status.REFUNDED
        assert the_only(rig).key is None
        assert [value for value, _ in rig.world.refunded.values()] == [860]
        assert rig.store.orders == {}
        assert (await rig.order(key="k")).is_new


async def test_a_cancelled_order_is_refunded_once() -> None:
    async with rigged() as rig:
        order = (await rig.order()).standing.order
        for _ in range(2):
            await rig.till.desk.cancel(CancelOrder(order.order_id))
        statuses = {(await rig.till.find(order.order_id)).payment}
        assert statuses <= {Status.REFUND_PENDING, Status.REFUNDED}
        await trio.sleep(1)
        refunded = await rig.till.find(order.order_id)
        assert (refunded.payment, refunded.charge_status) == (Status.REFUNDED, 200)
        assert len(rig.world.refunded) == 1


async def test_the_breaker_opens_and_lets_one_call_find_out() -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(is_up=False)
        for _ in range(5):
            with pytest.raises(ProviderUnavailable):
                await rig.order()
        rig.world.mood = Mood(before=1.0)
        with pytest.raises(ProviderUnavailable) as no:
            await rig.order()
        assert no.value.retry_after == pytest.approx(10.0, abs=0.1)
        await trio.sleep(11)
        outcomes: list[str] = []

        async def order() -> None:
            try:
                await rig.order()
                outcomes.append("ordered")
            except ProviderUnavailable:
                outcomes.append("unavailable")

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(order)
        assert sorted(outcomes) == ["ordered", *["unavailable"] * 4]
        await rig.order()


async def test_no_more_calls_are_under_way_than_there_are_callers() -> None:
    async with rigged(callers=3) as rig:
        rig.world.mood = Mood(before=1.0)
        async with trio.open_nursery() as nursery:
            for number in range(12):
                nursery.start_soon(lambda one: rig.order(key=one), f"k{number}")
        assert rig.world.most_at_once == 3
        assert len(rig.world.charged) == 12


async def test_without_a_provider_it_is_paid_at_the_counter() -> None:
    async with rigged(charges=False) as rig:
        ordered = await rig.order(key="k")
        assert (ordered.payment, ordered.is_new) == (Status.AT_COUNTER, True)
        again = await rig.order(key="k")
        assert (again.payment, again.is_new) == (Status.AT_COUNTER, False)
        assert again.standing.order.order_id == ordered.standing.order.order_id
        await rig.followed()
        assert the_only(rig).status is Status.AT_COUNTER
        assert (await rig.till.find(ordered.standing.order.order_id)).charge_status is None
        await rig.till.desk.cancel(CancelOrder(ordered.standing.order.order_id))
        assert rig.world.asked == []


async def test_a_basket_of_nothing_needs_no_payment() -> None:
    async with rigged() as rig:
        ordered = await rig.order(WATER)
        assert ordered.payment is Status.NOT_REQUIRED
        await rig.followed()
        assert the_only(rig).status is Status.NOT_REQUIRED
        assert rig.world.asked == []


async def test_a_wrong_total_is_told_and_nothing_is_charged() -> None:
    async with rigged() as rig:
        with pytest.raises(WrongTotal) as wrong:
            await rig.order(LATTE, key="k", total_cents=859)
        assert wrong.value.total_cents == 860
        assert (await rig.order(LATTE, key="k", total_cents=860)).is_new


@pytest.mark.slow
async def test_a_key_is_free_again_after_a_day() -> None:
    async with rigged() as rig:
        first = await rig.order(key="k")
        await rig.counter.finish(await rig.counter.claimed())
        await rig.followed()
        await trio.sleep(DAY + 1)
        second = await rig.order(key="k")
        assert second.is_new
        assert first.standing.order.order_id != second.standing.order.order_id
        await rig.followed()
        await rig.crash()
        assert not (await rig.order(key="k")).is_new
        assert [one.key for one in payments_in(rig.store)] == [None, "k"]
