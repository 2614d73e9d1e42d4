"""Whoever sets the machine's clock back between two runs does not send orders into the past."""

from __future__ import annotations

import pytest

from tests.cafe.ledger.fakes import MemoryStore
from tests.cafe.orders.counter import open_counter

pytestmark = pytest.mark.schedules


async def test_nothing_happens_before_what_the_ledger_has() -> None:
    store = MemoryStore()
    async with open_counter(store=store) as counter:
        await counter.order(hold=0, key="k")
    for sequence, record in store.events.items():
        later = record.event._replace(at=record.event.at + 3600)
        store.events[sequence] = record._replace(event=later)
    last = store.load().last_at
    async with open_counter(store=store) as counter:
        claim = await counter.claimed()
        assert claim.order.started_at is not None
        assert claim.order.started_at >= last
        order = await counter.finish(claim)
        assert order.brewed_seconds < 1
