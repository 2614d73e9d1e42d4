"""Crashes, kills, outages, refused rows: no order is lost, delivered twice, or in two hands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import ActorCrashed, Restart
from actors.testing import run_seeded
from cafe.delivery.followers import SETTLE_SECONDS
from cafe.delivery.messages import Take
from cafe.http.refusals import CafeRefusal, ShopClosing
from cafe.ledger.errors import LedgerUnavailable, NotRecorded
from tests.cafe.delivery.street import (
    LEASE,
    Street,
    completed_in,
    deliveries_in,
    open_north,
    wrong_in,
)
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.ledger.order_histories import NOON
from tests.chance import examples

PATIENT = Restart(limit=1_000, backoff=0.25, longest=1, jitter=0)

swept = pytest.mark.schedules(5)
SLOW = 1.0
"""How long each commit takes, so that something can happen before, while and after it."""


@swept
@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.5, 2.5, 3.5, 4.5])
async def test_a_kill_between_any_two_commits_of_a_publish_loses_nothing(seconds: float) -> None:
    disk = Disk()
    async with open_north(disk=disk) as street, trio.open_nursery() as nursery:
        await street.add_courier("ada")
        disk.seconds = SLOW
        order_id = street.desk.orders.ids.new()
        nursery.start_soon(ignoring, partial(street.publish, order_id=order_id))
        await trio.sleep(seconds)
        store = street.store.survivor()
        disk.seconds = 0
        nursery.cancel_scope.cancel()
    began = [one.order_id for one in deliveries_in(store)] == [order_id]
    async with open_north(store) as street:
        await trio.sleep(1)
        assert (order_id in street.store.orders) == began
        if began:
            assert street.kept(order_id).settled
            assert (await street.take(order_id, "finish")).delivery.status == "delivered"


@swept
@pytest.mark.parametrize("step", ["finish", "cancel"])
@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.5, 2.5, 3.5])
async def test_a_kill_between_any_two_commits_of_an_end_is_made_good(
    step: str, seconds: float
) -> None:
    disk = Disk()
    async with open_north(disk=disk) as street, trio.open_nursery() as nursery:
        await street.add_courier("ada")
        delivery = await street.publish()
        await street.followed()
        disk.seconds = SLOW
        nursery.start_soon(ignoring, partial(street.take, delivery, step))  # type: ignore[arg-type] # a step
        await trio.sleep(seconds)
        store = street.store.survivor()
        disk.seconds = 0
        nursery.cancel_scope.cancel()
    ended = deliveries_in(store)[0].ended_at is not None
    async with open_north(store) as street:
        await trio.sleep(1)
        kept = street.kept(delivery.order_id)
        assert kept.settled
        assert completed_in(street.store, "ada") == (kept.status == "delivered")
        order = street.order(delivery.order_id)
        assert (
            order.status
            == ({"finish": "delivered", "cancel": "cancelled"}[step], "ready")[not ended]
        )


@swept
async def test_a_crash_hides_from_who_asks_and_nothing_is_done_twice() -> None:
    async with open_north(disk=Disk(), restart=PATIENT) as street:
        await street.add_courier("ada")
        await street.add_courier("bo")
        street.counter.disk.seconds = 0.1
        for _ in range(3):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(street.crash)
                delivery = await street.publish()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(street.crash)
                handed = await street.take(delivery, "finish")
            assert handed.delivery.status == "delivered"
        assert completed_in(street.store, "ada") + completed_in(street.store, "bo") == 3
        assert len(street.rows()) == 3


@swept
async def test_a_command_is_repeated_after_its_answer_was_lost() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        delivery, waiting = await street.publish(), await street.publish(queue=True)
        finishing = Take(delivery.order_id, "finish")
        for _ in range(2):
            handed = await street.desk.take(finishing)
            assert handed.delivery.status == "delivered"
            assert handed.next is not None
            assert handed.next.order_id == waiting.order_id
        await street.followed()
        assert (await street.desk.take(finishing)).delivery.status == "delivered"
        assert completed_in(street.store, "ada") == 1


@swept
async def test_who_hangs_up_after_the_commit_loses_nothing() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        street.counter.disk.seconds = SLOW
        order_id = street.desk.orders.ids.new()
        with trio.move_on_after(1.5):
            await street.publish(order_id=order_id)
        street.counter.disk.seconds = 0
        await trio.sleep(3 * SETTLE_SECONDS)
        assert street.order(order_id).status == "ready"
        assert street.kept(order_id).settled


@swept
async def test_during_an_outage_all_is_refused_in_time_and_nothing_is_lost() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        delivery = await street.publish()
        street.store.link.gone = True
        for ask in (
            partial(street.publish, queue=True),
            partial(street.take, delivery, "finish"),
            partial(street.desk.find, delivery.order_id),
            partial(street.change, "ada", on_duty=False),
        ):
            began = trio.current_time()
            with pytest.raises(LedgerUnavailable):
                await ask()
            assert trio.current_time() - began <= 5.0
        street.store.link.gone = False
        await trio.sleep(10)
        # What was written as the outage began is committed at its end.
        assert street.kept(delivery.order_id).status == "delivered"
        assert completed_in(street.store, "ada") == 1
        assert street.ref.statistics().crashed == 0


@swept
async def test_a_row_that_is_refused_is_its_own_askers_trouble() -> None:
    async with open_north() as street:
        with street.store.link.transaction(writing=True) as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER no_bad BEFORE INSERT ON couriers WHEN NEW.name = 'bad'"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        await street.add_courier("ada")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ignoring, partial(street.publish))
            with pytest.raises(NotRecorded):
                await street.add_courier("bad")
        await trio.sleep(1)
        assert [one.courier.name for one in await street.desk.list_couriers(0, 9)] == ["ada"]
        assert (await street.take(street.rows()[0], "finish")).delivery.status == "delivered"


@swept
async def test_as_the_shop_closes_nothing_new_is_published_and_what_is_in_hand_ends() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        delivery = await street.publish()
        street.counter.closing.begin(5)
        with pytest.raises(ShopClosing):
            await street.publish(queue=True)
        await street.take(delivery, "finish")
        assert street.order(delivery.order_id).status == "delivered"


@swept
async def test_a_basket_whose_event_was_not_followed_is_found_at_the_start() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        street.counter.disk.seconds = SLOW
        order = await street.basket_ready()
        store = street.store.survivor()
        street.counter.disk.seconds = 0
    async with open_north(store) as street:
        delivery = await street.desk.find(order.order_id)
        assert (delivery.status, delivery.courier_id) == ("assigned", "id-ada")
        await street.crash()
        await street.followed()
        assert [one.order_id for one in street.rows()] == [order.order_id]


async def ignoring(ask: Callable[[], Awaitable[object]]) -> None:
    """Ask, and leave it at that."""
    with suppress(CafeRefusal, ActorCrashed):
        await ask()


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.05, 0.3, 4.0, LEASE]),
        st.sampled_from(
            [
                "publish",
                "publish",
                "queue",
                "queue",
                "basket",
                "pick up",
                "finish",
                "finish",
                "finish",
                "fail",
                "retry",
                "cancel",
                "reassign",
                "on",
                "off",
                "crash",
                "crash dispatcher",
                "gone",
                "back",
                "mute",
                "slow",
            ]
        ),
        st.integers(0, 5),
    ),
    min_size=3,
    max_size=16,
)
Story = list[list[tuple[float, str, int]]]
"""The processes of a shop, one after the other; each is killed at its end."""


def act(street: Street, what: str, which: int) -> Callable[[], Awaitable[object]] | None:  # noqa: PLR0911 - one for each
    """Return what a step of a story asks for."""
    name = ("ada", "bo")[which % 2]
    district = ("north", "south")[which % 2]
    match what:
        case "publish" | "queue":
            return partial(street.publish, district, queue=what == "queue")
        case "basket":
            return partial(street.basket_ready, district)
        case "on" | "off":
            return partial(street.change, name, on_duty=what == "on")
        case "crash":
            return street.crash
        case "crash dispatcher":
            return street.counter.crash
        case "pick up" | "finish" | "fail" | "retry" | "cancel" | "reassign":
            rows = [one for one in street.rows() if one.ended_at is None] or street.rows()
            if rows:
                reason = "closed" if what == "fail" else None
                return partial(street.take, rows[which % len(rows)], what, reason=reason)
        case _:
            pass
    return None


def clock() -> float:
    """Return the time, which goes on from one process to the next."""
    return NOON + trio.current_time()


async def run_story(story: Story) -> FaultyStore:
    """Run the processes of a story, and then one that has time to make everything good."""
    store = FaultyStore()
    async with open_north(restart=PATIENT, clock=clock) as street:
        await street.add_courier("ada", "north", "south")
        await street.add_courier("bo")
        store = street.store.survivor()
    for steps in [*story, []]:
        async with (
            open_north(store, disk=Disk(), restart=PATIENT, clock=clock) as street,
            trio.open_nursery() as nursery,
        ):
            street.couriers = {"ada": "id-ada", "bo": "id-bo"}
            await run_steps(street, steps, nursery)
            if not steps:
                await settle(street)
            store = street.store.survivor()
            nursery.cancel_scope.cancel()
            street.store.link.gone = False
            street.counter.disk.seconds = 0
    return store


async def run_steps(
    street: Street, steps: Sequence[tuple[float, str, int]], nursery: trio.Nursery
) -> None:
    for pause, what, which in steps:
        await trio.sleep(pause)
        carriers = [
            one.courier_id for one in street.rows() if one.status in {"assigned", "picked_up"}
        ]
        assert len(carriers) == len(set(carriers))
        if what in {"gone", "back"}:
            street.store.link.gone = what == "gone"
        elif what == "mute":
            street.store.link.mute = which
        elif what == "slow":
            street.counter.disk.seconds = 0.2 * which
        elif (ask := act(street, what, which)) is not None:
            nursery.start_soon(ignoring, ask)


async def settle(street: Street) -> None:
    await trio.sleep(3 * SETTLE_SECONDS)
    await street.followed()


@pytest.mark.slow
@given(seed=st.integers(0, 2**32), story=st.lists(STEPS, min_size=1, max_size=3))
@settings(max_examples=examples(50), deadline=None)
def test_in_any_story_each_order_ends_as_its_delivery_and_counts_once(
    seed: int, story: Story
) -> None:
    store = run_seeded(seed, partial(run_story, story))
    assert wrong_in(store) == []
    rows = deliveries_in(store)
    assert all(one.settled for one in rows)
    delivered = [one for one in rows if one.status == "delivered"]
    assert completed_in(store, "ada") + completed_in(store, "bo") == len(delivered)
    for one in rows:
        ends = {"delivered": "delivered", "cancelled": "cancelled"}
        assert store.orders[one.order_id].status == ends.get(one.status, "ready")
