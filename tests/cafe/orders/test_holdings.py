"""Holdings: a leave ends the holds before it, in whichever sequence the two arrive."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from cafe.orders.dispatcher import Rules
from cafe.orders.holdings import Holdings
from cafe.orders.messages import (
    FinishOrder,
    HoldOrders,
    LeaveFront,
    LeaveOrder,
    PlaceOrder,
    ReleaseOrder,
    StartOrder,
)
from cafe.orders.order import Status
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import ADDRESS, Counter, open_counter

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "hold", "drop", "leave", "leave all", "end", "keep"]),
        st.sampled_from("abc"),
        st.sampled_from("xy"),
        st.integers(1, 6),
    ),
    max_size=30,
)


@given(steps=STEPS)
def test_holdings_are_a_set_of_orders_fronts_and_numbers(
    steps: list[tuple[str, str, str, int]],
) -> None:
    holdings, naive = Holdings(), set[tuple[str, str, int]]()
    for what, order, front, number in steps:
        if what == "hold":
            holdings.hold(order, front, number)
            naive.add((order, front, number))
        elif what == "drop":
            holdings.drop(order, front, number)
            naive.discard((order, front, number))
        elif what == "leave":
            holdings.leave(order, front, number)
            naive = {one for one in naive if one[:2] != (order, front) or one[2] > number}
        elif what == "leave all":
            assert holdings.leave_all(front) == sorted({one[0] for one in naive if one[1] == front})
            naive = {one for one in naive if one[1] != front}
        elif what == "end":
            assert holdings.end(order) == any(one[0] == order for one in naive)
            naive = {one for one in naive if one[0] != order}
        else:
            holdings.keep(lambda one, order=order: one == order)  # type: ignore[misc]
            naive = {one for one in naive if one[0] == order}
        assert len(holdings) == len({one[0] for one in naive})
        assert all(holdings.is_held(one) == any(it[0] == one for it in naive) for one in "abc")


def test_a_leave_ends_the_holds_of_its_front_up_to_its_number() -> None:
    holdings = Holdings()
    for front, number in (("x", 1), ("x", 2), ("x", 3), ("y", 1)):
        holdings.hold("a", front, number)
    holdings.leave("a", "x", 2)
    holdings.drop("a", "y", 1)
    assert holdings.is_held("a")
    holdings.leave("a", "x", 3)
    assert not holdings.is_held("a")


def test_a_hold_whose_front_never_learned_of_it_ends_alone() -> None:
    holdings = Holdings()
    holdings.hold("a", "x", 1)
    holdings.hold("a", "x", 2)
    holdings.drop("a", "x", 1)
    assert holdings.is_held("a")


def test_what_a_front_held_is_left_in_the_order_of_the_ids() -> None:
    holdings, ids = Holdings(), [f"order {number:02}" for number in range(50)]
    for order_id in reversed(ids):
        holdings.hold(order_id, "x", 1)
    assert holdings.leave_all("x") == ids


async def place(counter: Counter, order_id: str, key: str | None = None) -> None:
    """Place an order that a front holds under the number 5."""
    message = PlaceOrder(order_id, "americano", None, ADDRESS, 9, key, front="front", hold=5)
    await counter.ref.ask(message)


async def finish_next(counter: Counter) -> Status:
    """Brew the oldest order; return how it stands."""
    claim = await counter.ref.ask(StartOrder())
    assert claim is not None
    await counter.ref.ask(FinishOrder(claim.order.order_id))
    return counter.store.orders[claim.order.order_id].status


@pytest.mark.schedules
async def test_a_held_order_is_handed_over_in_the_commit_of_its_finish() -> None:
    async with open_counter() as counter:
        await place(counter, "held")
        await trio.sleep(60)
        assert await finish_next(counter) is Status.DELIVERED
        [*_, finish, handed] = counter.logged
        assert (finish.event.action, handed.event.action) == ("finish", "hand over")
        assert finish.position + 1 == handed.position


@pytest.mark.schedules
async def test_a_leave_that_was_overtaken_by_a_new_hold_ends_nothing() -> None:
    async with open_counter() as counter:
        await place(counter, "bound")
        await counter.ref.ask(HoldOrders("front", ("bound", "unknown"), 7))
        await counter.ref.ask(LeaveOrder("front", "bound", 6))
        assert await finish_next(counter) is Status.DELIVERED
        await place(counter, "keyed", "k")
        await counter.ref.ask(LeaveOrder("front", "keyed", 9))
        assert await finish_next(counter) is Status.READY
        held = await counter.ref.ask(HoldOrders("front", ("keyed", "unknown"), 10))
        assert {one: standing.order.status for one, standing in held.items()} == {
            "keyed": Status.READY
        }
        assert counter.store.orders["keyed"].status is Status.DELIVERED
        await counter.ref.ask(LeaveOrder("front", "unknown", 11))


@pytest.mark.schedules
async def test_an_order_whose_front_has_gone_is_abandoned_unless_another_holds_it() -> None:
    async with open_counter() as counter:
        await place(counter, "bound")
        await place(counter, "keyed", "k")
        await counter.ref.ask(HoldOrders("other", ("keyed",), 1))
        assert await counter.ref.ask(LeaveFront("front")) == 2
        assert await counter.ref.ask(LeaveFront("front")) == 0
        assert counter.store.orders["bound"].status is Status.CANCELLED
        assert await finish_next(counter) is Status.DELIVERED


@pytest.mark.schedules
async def test_holds_outlive_a_crash_of_the_dispatcher() -> None:
    async with open_counter(Rules(unclaimed_seconds=1)) as counter:
        await place(counter, "bound")
        await counter.crash()
        await trio.sleep(30)
        assert await finish_next(counter) is Status.DELIVERED


@pytest.mark.schedules
async def test_a_new_house_gives_fronts_time_to_say_what_they_hold() -> None:
    store = FaultyStore()
    async with open_counter(store=store) as counter:
        await place(counter, "held")
        await place(counter, "lost")
        left = store.survivor()
    rules = Rules(has_fronts=True, unclaimed_seconds=10)
    async with open_counter(rules, store=left) as counter:
        await trio.sleep(5)
        await counter.ref.ask(HoldOrders("front", ("held",), 9))
        await trio.sleep(30)
        assert left.orders["held"].status is Status.WAITING
        assert left.orders["lost"].status is Status.CANCELLED


@pytest.mark.schedules
async def test_a_claim_is_not_released_for_one_that_it_has_replaced() -> None:
    async with open_counter() as counter:
        await place(counter, "held")
        await counter.ref.ask(StartOrder(claim="new"))
        kept = await counter.ref.ask(ReleaseOrder("held", "old"))
        assert kept.status is Status.PREPARATION
        released = await counter.ref.ask(ReleaseOrder("held", "new"))
        assert released.status is Status.WAITING
