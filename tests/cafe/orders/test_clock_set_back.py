"""The machine's clock is set back between two processes: times in the ledger do not go back."""

from __future__ import annotations

import pytest
import trio

from cafe.ledger.log import MOST_AHEAD
from cafe.orders.dispatcher import Rules
from cafe.orders.order import Action
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import open_counter, settled, waiting_customers

pytestmark = pytest.mark.schedules

NOON = 1_795_000_000.0
YEARS = 14 * 365 * 86_400.0


async def test_an_event_has_no_earlier_time_than_the_one_before_it() -> None:
    store = FaultyStore()
    async with open_counter(store=store, clock=lambda: NOON + 200) as counter:
        await counter.order(hold=0, key="k")
        left = store.survivor()
    async with open_counter(store=left, clock=lambda: NOON + trio.current_time()) as counter:
        claim = await counter.claimed()
        assert claim.order.started_at is not None
        assert claim.order.started_at >= NOON + 200
        order = await counter.finish(claim)
        assert order.brewed_seconds < 1
        assert left.broken_promises() == []


async def test_a_clock_that_was_years_ahead_does_not_set_the_times_after_it() -> None:
    store = FaultyStore()
    async with open_counter(store=store, clock=lambda: NOON + YEARS) as counter:
        await counter.order(hold=0, key="k")
        await counter.claimed("dead")
        left = store.survivor()
    rules = Rules(lease_seconds=50)
    async with open_counter(rules, store=left, clock=lambda: NOON + trio.current_time()) as counter:
        assert await counter.start("alive") is None
        await trio.sleep(51)
        claim = await counter.claimed("alive")
        await counter.finish(claim)
        assert counter.times(Action.EXPIRE) == [pytest.approx(NOON + 50)]
        assert left.broken_promises() == []


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [1, MOST_AHEAD - 1, MOST_AHEAD, MOST_AHEAD + 1, 3_600])
@pytest.mark.parametrize("idle", [0.0, 0.5, 1.0])
async def test_a_check_finds_nothing_wrong_after_a_clock_that_was_ahead(
    ahead: float, idle: float
) -> None:
    store, began = FaultyStore(), trio.current_time()
    async with open_counter(store=store, clock=lambda: NOON + ahead) as counter:
        for key in "klm":
            await counter.order(hold=0, key=key)
        brewing = await counter.claimed("Bo")
        left = store.survivor()

    def clock() -> float:
        return NOON + trio.current_time() - began

    async with open_counter(store=left, clock=clock) as counter, trio.open_nursery() as nursery:
        # No request for a part of the time by which the clock was ahead, or for all but a second.
        await trio.sleep(max(0.0, idle * ahead - 1))
        [customer] = await waiting_customers(counter, nursery, 1)
        await counter.finish(brewing)
        for _ in range(3):
            await counter.finish(await counter.claimed("Bo"))
        await settled()
        assert customer.got is not None
        assert left.broken_promises() == []
        left = left.survivor()
    async with open_counter(store=left, clock=clock):
        assert left.broken_promises() == []


async def test_a_lease_from_a_clock_that_was_ahead_breaks_no_promise() -> None:
    store, began = FaultyStore(), trio.current_time()
    async with (
        open_counter(store=store, clock=lambda: NOON + MOST_AHEAD + 1) as counter,
        trio.open_nursery() as nursery,
    ):
        await waiting_customers(counter, nursery, 1)
        await counter.claimed("Bo")
        left = store.survivor()
        assert not any(order.abandoned for order in left.orders.values())
        nursery.cancel_scope.cancel()
    async with open_counter(store=left, clock=lambda: NOON + trio.current_time() - began):
        await settled()  # no customer waits for the order, so it is abandoned
        assert all(order.abandoned for order in left.orders.values())
        assert left.broken_promises() == []


async def test_a_check_finds_nothing_wrong_with_a_call_off_after_a_clock_that_was_ahead() -> None:
    store = FaultyStore()
    async with open_counter(store=store, clock=lambda: NOON + YEARS) as counter:
        order = await counter.publish()
        left = store.survivor()
    async with open_counter(store=left, clock=lambda: NOON + trio.current_time()) as counter:
        await counter.desk.call_off(order.order_id)
        assert left.broken_promises() == []
