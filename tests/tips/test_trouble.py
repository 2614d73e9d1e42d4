"""Crashes, outages and refused rows: tips are paid once, and orders are not disturbed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from sqlalchemy import delete

from actors.testing import settle
from cafe.ledger.database import Link
from cafe.ledger.errors import LedgerUnavailable, NotRecorded
from cafe.orders.department import ORDERS
from cafe.orders.order import Status as OrderStatus
from docs.examples.tips.department import TIPS
from docs.examples.tips.refusals import OneTipEach
from docs.examples.tips.tip import Status
from tests.cafe.ledger.fakes import REFUSED, FaultyStore
from tests.cafe.orders.counter import waiting_customers
from tests.tips.till import (
    DEPARTMENTS,
    Till,
    caught_up,
    earned_in,
    open_till,
    tips_in,
    totals_in,
    wrong_in,
)

pytestmark = pytest.mark.schedules(3)

REFUSE = "CREATE TRIGGER {0} BEFORE INSERT ON {0} BEGIN SELECT RAISE(ABORT, 'refused'); END"


@asynccontextmanager
async def refusing(till: Till, table: str) -> AsyncGenerator[None]:
    """Make the database refuse each new row of one table."""
    for statement in (REFUSE.format(table), f"DROP TRIGGER {table}"):
        with Link.transaction(till.store.link, writing=True) as connection:
            connection.exec_driver_sql(statement)
        if statement.startswith("CREATE"):
            yield


async def brew_one(till: Till, barista: str) -> None:
    """Claim and finish the oldest order."""
    await till.counter.finish(await till.counter.claimed(barista))


@pytest.mark.parametrize("in_a_turn", [False, True])
async def test_a_crash_of_tips_disturbs_no_order_and_no_customer(*, in_a_turn: bool) -> None:
    async with open_till() as till, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(till.counter, nursery, 1)
        claim = await till.counter.claimed("Bo")
        await till.give(claim.order.order_id)
        await till.crash(in_a_turn=in_a_turn)
        await till.counter.finish(claim)
        await caught_up(till)
        await settle()
        assert customer.got is not None
        assert till.tips.statistics().crashed == 1
        assert till.counter.ref.statistics().crashed == 0
        assert totals_in(till.store) == earned_in(till.store) == {"Bo": 50}
        assert wrong_in(till.store) == []


async def test_after_a_crash_events_are_followed_from_where_they_were() -> None:
    async with open_till() as till:
        order = (await till.counter.order(hold=0)).order
        await caught_up(till)
        await till.give(order.order_id)
        await caught_up(till)  # with the tip's own event, too
        await till.crash()
        with trio.fail_after(1):
            await caught_up(till)


async def test_an_event_that_tips_have_not_applied_is_not_pruned() -> None:
    async with open_till() as till:
        ledger = till.counter.ledger

        async def prune() -> int:
            return await ledger.prune(ORDERS, ledger.now() - 10, DEPARTMENTS)

        for _ in range(4):
            await till.give((await till.counter.order(hold=0)).order.order_id)
        await brew_one(till, "Ada")
        await caught_up(till)
        async with refusing(till, "tip_brews"):
            for _ in range(2):
                await brew_one(till, "Bo")
            await trio.sleep(20)
            assert await prune() == 1  # Ada's
            assert await prune() == 0
        await caught_up(till)
        assert totals_in(till.store) == {"Ada": 50, "Bo": 100}
        await brew_one(till, "Cy")
        await caught_up(till)
        assert await prune() == 2
        assert wrong_in(till.store) == []


async def test_a_crash_of_the_dispatcher_does_not_disturb_tips() -> None:
    async with open_till() as till:
        order = (await till.counter.order(hold=0)).order
        await till.counter.crash()
        await till.give(order.order_id)
        await brew_one(till, "Bo")
        await till.counter.crash()
        await caught_up(till)
        assert till.tips.statistics().crashed == 0
        assert totals_in(till.store) == earned_in(till.store) == {"Bo": 50}


async def test_a_crash_of_both_at_once_loses_nothing() -> None:
    async with open_till() as till, trio.open_nursery() as nursery:
        till.counter.disk.seconds = 0.1
        order = (await till.counter.order(hold=0)).order
        nursery.start_soon(till.crash)
        nursery.start_soon(till.counter.crash)
        await till.give(order.order_id)
        claim = await till.counter.start("Bo", hold=5)
        assert claim is not None
        nursery.start_soon(till.crash)
        nursery.start_soon(till.counter.crash)
        await till.counter.finish(claim)
        await caught_up(till)
        assert totals_in(till.store) == earned_in(till.store) == {"Bo": 50}
        assert wrong_in(till.store) == []


async def test_tips_that_are_refused_leave_the_orders_of_their_group_alone() -> None:
    async with open_till() as till, trio.open_nursery() as nursery:
        orders = [(await till.counter.order(hold=0)).order for _ in range(3)]
        await caught_up(till)
        refused: list[str] = []

        async def give(order_id: str) -> None:
            try:
                await till.give(order_id)
            except OneTipEach:  # the trigger raises a conflict, as a constraint does
                refused.append(order_id)

        async with refusing(till, "tips"):
            till.counter.disk.seconds = 0.1
            async with trio.open_nursery() as givers:
                for order in orders:
                    givers.start_soon(give, order.order_id)
                customers = await waiting_customers(till.counter, nursery, 3)
            till.counter.disk.seconds = 0
        for _ in range(6):
            await brew_one(till, "Bo")
        await settle()
        assert all(customer.got for customer in customers)
        assert sorted(refused) == sorted(order.order_id for order in orders)
        for ref in (till.tips, till.counter.ref):
            assert (ref.statistics().crashed, ref.statistics().restarts) == (0, 0)
        await caught_up(till)
        assert tips_in(till.store) == {}
        assert wrong_in(till.store) == []


async def test_events_whose_rows_are_refused_wait_and_the_orders_go_on() -> None:
    async with open_till() as till:
        async with refusing(till, "tip_brews"):
            for _ in range(3):
                await till.counter.order(hold=0)
                await brew_one(till, "Bo")
            await trio.sleep(10)
            assert till.counter.ref.statistics().crashed == 0
        await caught_up(till)
        assert till.tips.statistics().crashed == 0
        for row in till.store.orders.values():
            tip = await till.give(row.order_id)
            assert (row.status, tip.barista) == (OrderStatus.READY, "Bo")
        assert totals_in(till.store) == earned_in(till.store) == {"Bo": 150}
        assert wrong_in(till.store) == []


async def test_a_refused_order_does_not_disturb_tips() -> None:
    async with open_till() as till, trio.open_nursery() as nursery:
        order = (await till.counter.order(hold=0)).order
        await caught_up(till)
        till.counter.disk.seconds = 1

        async def order_refused() -> None:
            with suppress(NotRecorded):
                await till.counter.order(name=REFUSED)

        nursery.start_soon(order_refused)
        assert (await till.give(order.order_id)).status is Status.PLEDGED
        till.counter.disk.seconds = 0
        await trio.sleep(5)
        await brew_one(till, "Bo")
        await caught_up(till)
        assert (till.tips.statistics().crashed, till.counter.ref.statistics().crashed) == (0, 0)
        assert totals_in(till.store) == {"Bo": 50}
        assert wrong_in(till.store) == []


async def test_a_tip_is_refused_in_time_during_an_outage_and_accepted_after_it() -> None:
    async with open_till() as till:
        order = (await till.counter.order(hold=0)).order
        await caught_up(till)
        till.store.link.gone = True
        began = trio.current_time()
        with pytest.raises(LedgerUnavailable):
            await till.give(order.order_id)
        assert trio.current_time() - began <= 5
        await trio.sleep(300)
        till.store.link.gone = False
        await till.give(order.order_id)
        await brew_one(till, "Bo")
        await caught_up(till)
        assert till.tips.statistics().crashed == 0
        assert totals_in(till.store) == earned_in(till.store) == {"Bo": 50}


async def test_tips_that_crash_during_an_outage_restart_at_its_end() -> None:
    async with open_till() as till:
        order = (await till.counter.order(hold=0)).order
        till.store.link.gone = True
        await till.crash()
        await trio.sleep(600)
        till.store.link.gone = False
        await till.give(order.order_id)
        assert till.tips.statistics().restarts == 1


async def test_a_commit_whose_reply_is_lost_pays_once() -> None:
    async with open_till() as till:
        order = (await till.counter.order(hold=0)).order
        await till.give(order.order_id)
        await caught_up(till)
        claim = await till.counter.claimed("Bo")
        till.store.link.mute = 3
        await till.counter.finish(claim)
        await caught_up(till)
        assert totals_in(till.store) == earned_in(till.store) == {"Bo": 50}
        assert wrong_in(till.store) == []


async def test_after_a_kill_the_next_process_resumes_after_the_last_applied_event() -> None:
    store: FaultyStore | None = None
    for run in range(3):
        async with open_till(store) as till, trio.open_nursery() as nursery:
            order = (await till.counter.order(hold=0)).order
            await till.give(order.order_id)
            till.counter.disk.seconds = 0.4
            for _ in range(2):
                nursery.start_soon(brew_one, till, "Bo")
            await trio.sleep(0.3 * run)
            store = till.store.survivor()
            nursery.cancel_scope.cancel()
    async with open_till(store) as till:
        while claim := await till.counter.start("Cy"):
            await till.counter.finish(claim)
        await caught_up(till)
        assert len(tips_in(till.store)) == 3
        assert totals_in(till.store) == earned_in(till.store)
        assert sum(totals_in(till.store).values()) == 150
        assert wrong_in(till.store) == []


async def test_a_log_that_is_older_than_the_department_is_followed_from_its_beginning() -> None:
    async with open_till() as till:
        ids = [(await till.counter.order(hold=0)).order.order_id for _ in range(3)]
        await brew_one(till, "Bo")
        store = till.store.survivor()
    with Link.transaction(store.link, writing=True) as connection:
        for table in reversed(TIPS.tables):
            connection.execute(delete(table))
    async with open_till(store) as till:
        assert [(await till.give(order_id)).barista for order_id in ids] == ["Bo", None, None]
        assert wrong_in(till.store) == []
