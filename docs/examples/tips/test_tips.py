"""Tips and the orders they are for: two departments on one ledger, in memory and virtual time."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from actors import open_system
from cafe.ledger.database import Link
from docs.examples.tips.department import tips_factory
from docs.examples.tips.jar import TipJar
from docs.examples.tips.messages import AwaitPosition, GiveTip
from docs.examples.tips.refusals import OneTipEach
from docs.examples.tips.tables import metadata
from docs.examples.tips.tip import Status
from docs.examples.tips.tips import follow_orders
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import Counter, open_counter

pytestmark = pytest.mark.schedules(5)


@asynccontextmanager
async def open_jar() -> AsyncGenerator[tuple[TipJar, Counter]]:
    """Start a Dispatcher and Tips, and the task that follows the orders."""
    store = FaultyStore()
    with Link.transaction(store.link, writing=True) as connection:
        metadata.create_all(connection)
    async with (
        open_counter(store=store) as counter,
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        tips = await system.start(tips_factory(counter.ledger), name="Tips")
        nursery.start_soon(follow_orders, tips, counter.ledger)
        yield TipJar(tips, counter.ledger), counter
        nursery.cancel_scope.cancel()


async def test_the_barista_that_brews_an_order_gets_its_tip_once() -> None:
    async with open_jar() as (jar, counter):
        order_id = (await counter.order(hold=0)).order.order_id
        for _ in range(2):
            tip = await jar.give(GiveTip("t1", order_id, cents=50))
            assert tip.status is Status.PLEDGED
        with pytest.raises(OneTipEach):
            await jar.give(GiveTip("t2", order_id, cents=50))
        await counter.finish(await counter.claimed("Bo"))
        await jar.tips.ask(AwaitPosition(counter.ledger.statistics().position))
        assert await jar.totals() == {"Bo": 50}


async def test_during_an_outage_orders_and_tips_wait_and_nothing_is_lost() -> None:
    async with open_jar() as (jar, counter):
        order_id = (await counter.order(hold=0)).order.order_id
        await jar.give(GiveTip("t1", order_id, cents=50))
        claim = await counter.claimed("Bo")
        counter.store.link.mute = 2  # two commits are made, and their answers are lost
        await counter.finish(claim)
        await jar.tips.ask(AwaitPosition(counter.ledger.statistics().position))
        assert await jar.totals() == {"Bo": 50}
        assert jar.tips.statistics().crashed == 0
