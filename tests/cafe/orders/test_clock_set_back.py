"""Whoever sets the machine's clock back between two runs does not send orders into the past."""

from __future__ import annotations

import pytest
import trio

from cafe.orders.dispatcher import Rules
from cafe.orders.order import Action
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import open_counter

pytestmark = pytest.mark.schedules

NOON = 1_795_000_000.0
YEARS = 14 * 365 * 86_400.0


async def test_nothing_happens_before_what_the_ledger_has() -> None:
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


async def test_a_clock_that_was_years_ahead_once_is_not_followed() -> None:
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
