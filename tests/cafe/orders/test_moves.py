"""Moves: staff take a certain order exactly one status on, by the steps that baristas use."""

from __future__ import annotations

import pytest
import trio

from cafe.http.refusals import ShopClosing
from cafe.orders import dispatcher
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import CancelOrder, FinishOrder, ReleaseOrder
from cafe.orders.order import NEXT, Action, Order, Status
from cafe.orders.refusals import OrderConflict, UnknownOrder, WrongStep
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import Counter, open_counter, settled, waiting_customers
from tests.cafe.orders.test_desk import forget_all_but_one

pytestmark = pytest.mark.schedules(5)
STEPS = (Status.PREPARATION, Status.READY, Status.DELIVERED)


async def at(counter: Counter, status: Status) -> Order:
    """Return an order of a basket that stands so."""
    order = await counter.placed()
    if status is Status.CANCELLED:
        return (await counter.desk.cancel(CancelOrder(order.order_id))).order
    for step in STEPS:
        if order.status is not status:
            order = (await counter.move(order.order_id, step)).order
    return order


async def test_staff_take_an_order_from_waiting_to_delivered() -> None:
    async with open_counter() as counter:
        placed = await counter.placed()
        for step in STEPS:
            standing = await counter.move(placed.order_id, step, "Di")
            assert standing.order.status is step
            await trio.sleep(10)
        assert [(one.event.action, one.event.by) for one in counter.logged] == [
            ("place", None),
            ("start", "Di"),
            ("finish", "Di"),
            ("hand over", "Di"),
        ]
        order = counter.store.orders[placed.order_id]
        assert order.barista == "Di"
        assert order.brewed_seconds == pytest.approx(10)
        assert counter.store.broken_promises() == []


@pytest.mark.parametrize("status", Status)
async def test_any_other_step_is_refused_with_the_one_that_is_allowed(status: Status) -> None:
    async with open_counter() as counter:
        order = await at(counter, status)
        follows = NEXT.get(status)
        for wanted in set(Status) - {follows}:
            with pytest.raises(WrongStep) as caught:
                await counter.move(order.order_id, wanted)
            assert caught.value.status == 400
            allowed = [] if follows is None else [follows]
            members = {"order_status": status, "allowed": allowed}
            assert caught.value.problem_members() == members
        assert counter.store.orders[order.order_id] == order


async def test_the_order_that_is_moved_need_not_be_the_oldest_and_may_be_a_plain_one() -> None:
    async with open_counter() as counter:
        oldest = await counter.order(hold=0)
        plain = await counter.order(hold=0)
        await counter.move(plain.order.order_id, Status.PREPARATION)
        assert (await counter.claimed()).order.order_id == oldest.order.order_id
        assert await counter.start() is None
        for step in STEPS[1:]:
            await counter.move(plain.order.order_id, step)
        assert counter.numbers(Action.HAND_OVER) == [2]


async def test_a_plain_order_that_becomes_ready_is_handed_to_its_waiting_customer() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        [order_id] = counter.store.orders
        await counter.move(order_id, Status.PREPARATION)
        assert (await counter.move(order_id, Status.READY)).order.status is Status.READY
        await settled()
        assert customer.got is not None
        with pytest.raises(WrongStep) as caught:
            await counter.move(order_id, Status.DELIVERED)
        assert caught.value.problem_members() == {"order_status": "delivered", "allowed": []}


async def test_an_order_that_staff_started_has_a_lease_and_goes_back_when_it_ends() -> None:
    async with open_counter(Rules(lease_seconds=30)) as counter:
        order = await at(counter, Status.PREPARATION)
        await trio.sleep(31)
        assert counter.numbers(Action.EXPIRE) == [order.number]
        with pytest.raises(WrongStep):
            await counter.move(order.order_id, Status.READY)
        # A late finish is a barista's, who was given the claim.
        assert (await counter.desk.finish(FinishOrder(order.order_id))).status is Status.READY


async def test_staff_and_baristas_share_the_same_orders() -> None:
    async with open_counter() as counter:
        first, second = await counter.placed(), await counter.placed()
        claim = await counter.claimed("Bo")
        await counter.move(first.order_id, Status.READY, "Di")
        assert (await counter.finish(claim)).status is Status.READY
        await counter.move(second.order_id, Status.PREPARATION, "Di")
        assert (await counter.desk.release(ReleaseOrder(second.order_id))).status is Status.WAITING
        with pytest.raises(OrderConflict):
            await counter.desk.finish(FinishOrder(second.order_id))


async def test_of_many_who_make_the_same_step_at_once_one_does() -> None:
    async with open_counter(disk=Disk(0.1)) as counter, trio.open_nursery() as nursery:
        order = await counter.placed()
        outcomes: list[str] = []

        async def move(by: str) -> None:
            try:
                await counter.move(order.order_id, Status.PREPARATION, by)
                outcomes.append("moved")
            except WrongStep as no:
                outcomes.append(no.order_status)

        async def claim() -> None:
            if await counter.start("Bo") is not None:
                outcomes.append("moved")

        nursery.start_soon(claim)
        for number in range(5):
            nursery.start_soon(move, f"Di {number}")
        await trio.sleep(1)
        assert outcomes.count("moved") == 1
        assert counter.numbers(Action.START) == [1]


async def test_a_ready_order_that_memory_has_forgotten_is_handed_over_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_RECENT", 1)
    store = FaultyStore()
    async with open_counter(store=store) as counter:
        order = await at(counter, Status.READY)
    async with open_counter(store=store.survivor()) as counter:
        await forget_all_but_one(counter)
        with pytest.raises(WrongStep) as caught:
            await counter.move(order.order_id, Status.READY)
        assert caught.value.allowed == [Status.DELIVERED]
        handed_over = await counter.move(order.order_id, Status.DELIVERED, "Di")
        assert handed_over.order.basket == order.basket
        await forget_all_but_one(counter)
        with pytest.raises(WrongStep) as caught:
            await counter.move(order.order_id, Status.DELIVERED)
        assert caught.value.order_status is Status.DELIVERED
        assert counter.numbers(Action.HAND_OVER) == [1]
        assert counter.store.broken_promises() == []


async def test_an_order_that_there_is_not_cannot_be_moved() -> None:
    async with open_counter() as counter:
        for order_id in ("x", "\0", counter.desk.ids.new()):
            with pytest.raises(UnknownOrder):
                await counter.move(order_id, Status.PREPARATION)


async def test_a_cancellation_names_who_of_the_staff_did_it_and_a_repetition_changes_nothing() -> (
    None
):
    async with open_counter() as counter:
        by_staff, by_customer = await counter.placed(), await counter.placed()
        for name in ("Di", "Bo"):
            cancelled = await counter.desk.cancel(CancelOrder(by_staff.order_id, name))
            assert cancelled.order.status is Status.CANCELLED
        await counter.desk.cancel(CancelOrder(by_customer.order_id))
        cancelling = [one.event.by for one in counter.logged if one.event.action == Action.CANCEL]
        assert cancelling == ["Di", None]
        assert counter.store.broken_promises() == []


async def test_a_closing_shop_starts_no_order_and_still_finishes_and_hands_over() -> None:
    async with open_counter() as counter:
        started, waiting = await at(counter, Status.PREPARATION), await counter.placed()
        counter.closing.begin(5)
        with pytest.raises(ShopClosing):
            await counter.move(waiting.order_id, Status.PREPARATION)
        for step in STEPS[1:]:
            await counter.move(started.order_id, step)
        assert counter.store.orders[started.order_id].status is Status.DELIVERED


async def test_a_move_that_was_committed_before_a_crash_is_answered_as_done() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        order = await counter.placed()
        counter.store.link.mute = 1  # so the committer retries, after a quarter of a second
        seen: list[Status] = []

        async def move() -> None:
            seen.append((await counter.move(order.order_id, Status.PREPARATION)).order.status)

        nursery.start_soon(move)
        await trio.sleep(0.1)
        assert counter.store.orders[order.order_id].status is Status.PREPARATION
        await counter.crash()
        await trio.sleep(2)
        assert seen == [Status.PREPARATION]
        assert counter.numbers(Action.START) == [1]
        with pytest.raises(WrongStep):  # but it is no answer to one that repeats it
            await counter.move(order.order_id, Status.PREPARATION)
