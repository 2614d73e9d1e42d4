"""Tips for orders in every status, each given once, beside an undisturbed Dispatcher."""

from __future__ import annotations

import pytest
import trio

from actors.testing import settle
from cafe.ledger.department import Event, Logged
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import CancelOrder
from docs.examples.tips.department import TIPS
from docs.examples.tips.messages import Follow
from docs.examples.tips.refusals import NotBrewed, OneTipEach, TipIdReused, UnknownOrder
from docs.examples.tips.tip import Status
from tests.tips.till import (
    DEPARTMENTS,
    caught_up,
    earned_in,
    open_till,
    tips_in,
    totals_in,
    wrong_in,
)

pytestmark = pytest.mark.schedules(3)


async def test_a_tip_that_is_given_before_the_finish_is_paid_with_it() -> None:
    async with open_till() as till:
        order = (await till.counter.order(hold=0)).order
        tip = await till.give(order.order_id)
        assert (tip.status, totals_in(till.store)) == (Status.PLEDGED, {})
        await till.counter.finish(await till.counter.claimed("Bo"))
        await caught_up(till)
        assert totals_in(till.store) == earned_in(till.store) == {"Bo": 50}
        assert wrong_in(till.store) == []


async def test_a_tip_that_is_given_after_the_finish_is_paid_at_once() -> None:
    async with open_till() as till:
        order = (await till.counter.order(hold=0)).order
        await till.counter.finish(await till.counter.claimed())
        await caught_up(till)
        tip = await till.give(order.order_id)
        assert (tip.status, tip.barista) == (Status.PAID, "")
        assert totals_in(till.store) == earned_in(till.store) == {"": 50}
        assert wrong_in(till.store) == []


async def test_a_late_finish_without_a_name_pays_the_tip_to_the_barista_that_started() -> None:
    async with open_till(rules=Rules(lease_seconds=5)) as till:
        order = (await till.counter.order(hold=0)).order
        await till.give(order.order_id)
        await till.counter.claimed("gone")
        await trio.sleep(6)
        late = await till.counter.claimed("late")
        await trio.sleep(6)
        await till.counter.finish(late)
        await caught_up(till)
        assert "finish late" in {one.event.action for one in till.store.logged}
        assert totals_in(till.store) == earned_in(till.store) == {"late": 50}


async def test_the_tip_of_an_order_that_is_cancelled_is_returned() -> None:
    async with open_till() as till:
        order = (await till.counter.order(hold=0)).order
        await till.give(order.order_id)
        await till.counter.desk.cancel(CancelOrder(order.order_id))
        await caught_up(till)
        assert [tip.status for tip in tips_in(till.store).values()] == [Status.RETURNED]
        with pytest.raises(NotBrewed):
            await till.give(order.order_id, tip_id="another")
        assert totals_in(till.store) == {}
        assert wrong_in(till.store) == []


async def test_the_same_id_is_the_same_tip_whatever_its_status() -> None:
    async with open_till() as till:
        order = (await till.counter.order(hold=0)).order
        await till.give(order.order_id)
        assert (await till.give(order.order_id)).status is Status.PLEDGED
        await till.counter.finish(await till.counter.claimed("Bo"))
        await caught_up(till)
        assert (await till.give(order.order_id)).barista == "Bo"
        with pytest.raises(TipIdReused):
            await till.give(order.order_id, cents=51)
        assert totals_in(till.store) == {"Bo": 50}
        given = [one for one in till.store.logged if one.event.action == "give"]
        assert len(given) == 1


async def test_an_order_has_one_tip_by_a_constraint_of_the_database() -> None:
    async with open_till() as till, trio.open_nursery() as nursery:
        order = (await till.counter.order(hold=0)).order
        answers: list[str] = []

        async def give(tip_id: str) -> None:
            try:
                await till.give(order.order_id, tip_id=tip_id)
                answers.append("given")
            except OneTipEach:
                answers.append("refused")

        for number in range(3):
            nursery.start_soon(give, f"tip-{number}")
        await settle()
        assert sorted(answers) == ["given", "refused", "refused"]
        assert len(tips_in(till.store)) == 1
        assert till.tips.statistics().crashed == 0
        assert wrong_in(till.store) == []


async def test_a_tip_for_a_new_order_waits_for_its_commit_and_for_an_unknown_one_is_refused() -> (
    None
):
    async with open_till() as till:
        till.counter.disk.seconds = 0.1
        for _ in range(3):
            order = (await till.counter.order(hold=0)).order
            assert (await till.give(order.order_id)).status is Status.PLEDGED
        with pytest.raises(UnknownOrder):
            await till.give("unknown")


async def test_old_tips_are_pruned_and_the_totals_are_kept() -> None:
    async with open_till() as till:
        for _ in range(3):
            order = (await till.counter.order(hold=0)).order
            await till.give(order.order_id)
            await caught_up(till)
        for _ in range(2):
            await till.counter.finish(await till.counter.claimed("Bo"))
        await caught_up(till)
        await trio.sleep(1000)
        # The other one has the last event of the log, which is kept.
        ledger = till.counter.ledger
        assert await ledger.prune(TIPS, ledger.now() - 10, DEPARTMENTS) == 1
        assert len(tips_in(till.store)) == 2
        await till.counter.finish(await till.counter.claimed("Bo"))
        await caught_up(till)
        assert totals_in(till.store) == {"Bo": 150}
        assert wrong_in(till.store) == []


async def test_an_event_that_was_applied_is_not_applied_again() -> None:
    async with open_till(rules=Rules(lease_seconds=5)) as till:
        order = (await till.counter.order(hold=0)).order
        await till.give(order.order_id)
        await till.counter.claimed("Ada")
        await trio.sleep(6)
        await till.counter.claimed("Bo")
        await caught_up(till)
        events = tuple(till.store.logged)
        late = Event(order.order_id, "finish late", "waiting", "ready", 0.0)
        await till.tips.ask(Follow((*events[:-1], Logged(events[-1].position + 1, "orders", late))))
        assert totals_in(till.store) == {"Bo": 50}
        await till.tips.ask(Follow(events))
        assert totals_in(till.store) == {"Bo": 50}


@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.5, 3.5])
async def test_a_customer_that_disconnects_may_repeat_its_tip(
    seconds: float,
) -> None:
    async with open_till() as till:
        order = (await till.counter.order(hold=0)).order
        await caught_up(till)
        till.counter.disk.seconds = 1
        with trio.move_on_after(seconds):  # during the look-up, during the commit, or after it
            await till.give(order.order_id)
        till.counter.disk.seconds = 0  # for the requests from now on
        assert (await till.give(order.order_id)).status is Status.PLEDGED
        assert len([one for one in till.store.logged if one.event.action == "give"]) == 1
        assert wrong_in(till.store) == []
