"""Timers: turns that come by themselves, and go with their instance."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorCrashed, Timer, open_system
from actors.actor import next_tick
from actors.testing import settle
from tests.actors.clock import Clock, Do, Sleep, after, every
from tests.actors.counter import Counter, Nap


@pytest.mark.schedules
async def test_after_rings_once_and_in_time() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.tell(after(3, "third"))
        await clock.tell(after(1, "first"))
        await clock.tell(after(2, "second"))
        await trio.sleep(10)
    assert rings == [("first", 1), ("second", 2), ("third", 3)]


@pytest.mark.schedules
async def test_every_rings_again_and_again_on_its_grid() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.tell(every(2))
        await trio.sleep(7)
    assert rings == [("tick", 2), ("tick", 4), ("tick", 6)]


@pytest.mark.schedules
async def test_ticks_that_come_while_the_actor_is_busy_are_merged_and_wait() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.tell(every(2))
        await clock.tell(Sleep(7))
        await trio.sleep(11)
    assert rings == [("busy", 0), ("free", 7), ("tick", 7), ("tick", 8), ("tick", 10)]


@pytest.mark.schedules
async def test_a_timer_that_is_due_waits_for_no_more_than_the_message_in_hand() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.tell(after(1))
        for _ in range(3):
            await clock.tell(Sleep(2))
        await trio.sleep(7)
    assert rings[:4] == [("busy", 0), ("free", 2), ("once", 2), ("busy", 2)]


@pytest.mark.schedules
async def test_a_cancelled_timer_does_not_ring_and_may_be_cancelled_again() -> None:
    rings: list[tuple[str, float]] = []

    def set_and_cancel(clock: Clock) -> None:
        for timer in (
            clock.after(1, partial(clock.ring, "once")),
            clock.every(1, partial(clock.ring, "tick")),
        ):
            timer.cancel()
            timer.cancel()

    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.ask(Do(set_and_cancel))
        await trio.sleep(3)
    assert rings == []


@pytest.mark.schedules
async def test_a_timer_that_rang_may_be_cancelled() -> None:
    timers: list[Timer] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, []))
        await clock.ask(Do(lambda c: timers.append(c.after(1, partial(c.ring, "once")))))
        await trio.sleep(3)
        timers[0].cancel()


@pytest.mark.schedules
async def test_a_ticking_timer_can_be_cancelled_by_its_own_callback() -> None:
    rings: list[tuple[str, float]] = []

    def set_timer(clock: Clock) -> None:
        def ring_and_cancel() -> None:
            clock.ring("last")
            timer.cancel()

        timer = clock.every(1, ring_and_cancel)

    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.tell(Do(set_timer))
        await trio.sleep(3)
    assert rings == [("last", 1)]


@pytest.mark.schedules
async def test_a_timer_set_by_a_timer_may_be_earlier_than_those_that_wait() -> None:
    rings: list[tuple[str, float]] = []

    def chain(clock: Clock) -> None:
        def go_on() -> None:
            clock.after(1, partial(clock.ring, "early"))

        clock.after(5, partial(clock.ring, "late"))
        clock.after(1, go_on)

    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.tell(Do(chain))
        await trio.sleep(6)
    assert rings == [("early", 2), ("late", 5)]


async def test_impossible_times_are_refused() -> None:
    async with open_system() as system:
        clock = await system.start(partial(Clock, []))
        for seconds in (-1, float("nan")):
            with pytest.raises(ActorCrashed) as refused:
                await clock.ask(after(seconds))
            assert isinstance(refused.value.__cause__, ValueError)
            assert f"cannot be set for {seconds} seconds" in str(refused.value.__cause__)
    async with open_system() as system:
        clock = await system.start(partial(Clock, []))
        for seconds in (0, -1, float("inf")):
            with pytest.raises(ActorCrashed) as refused:
                await clock.ask(every(seconds))
            assert isinstance(refused.value.__cause__, ValueError)
            assert f"cannot be set for every {seconds} seconds" in str(refused.value.__cause__)


async def test_many_timers_that_are_due_at_once_let_other_tasks_run() -> None:
    rings: list[tuple[str, float]] = []

    def set_many(clock: Clock) -> None:
        for number in range(500):
            timer = clock.after(0, partial(clock.ring, "once"))
            if number % 10 == 0:
                timer.cancel()

    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.ask(Do(set_many))
        counts = {len(rings)}
        while len(rings) < 450:
            await trio.lowlevel.checkpoint()
            counts.add(len(rings))
        assert len(counts) > 5


@pytest.mark.schedules
async def test_an_earlier_timer_set_later_rings_first() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.ask(after(5, "late"))
        await settle()
        await clock.ask(after(1, "early"))
        await trio.sleep(6)
    assert rings == [("early", 1), ("late", 5)]


@pytest.mark.schedules(5)
async def test_timers_ring_in_order_though_most_of_them_were_cancelled() -> None:
    rings: list[tuple[str, float]] = []

    def set_many(clock: Clock) -> None:
        timers = [
            clock.after(389 * number % 1000, partial(clock.ring, "once")) for number in range(1000)
        ]
        for number, timer in enumerate(timers):
            if number % 7:
                timer.cancel()

    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.ask(Do(set_many))
        await trio.sleep(1001)
    times = [time for _, time in rings]
    assert len(times) == 143
    assert times == sorted(times)


@pytest.mark.schedules(10)
async def test_many_timers_that_come_due_while_the_actor_is_busy_ring_before_it_goes_on() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        for _ in range(200):
            await clock.tell(after(1))
        await clock.tell(Sleep(2))
        await clock.ask(Sleep(1))
    assert rings == [("busy", 0), ("free", 2), *[("once", 2)] * 200, ("busy", 2), ("free", 3)]


@pytest.mark.schedules
async def test_timers_ring_on_in_a_cancelled_system_while_those_behind_unwind() -> None:
    rings: list[tuple[str, float]] = []
    with trio.move_on_after(1):
        async with open_system() as system:
            await (await system.start(partial(Clock, rings))).ask(every(2))
            counter = await system.start(Counter)
            await counter.ask(Nap(60, cleanup=4))
    assert rings == [("tick", 2), ("tick", 4)]


def test_the_next_tick_is_always_still_to_come() -> None:
    for now in [0.1 * number for number in range(1, 200)]:
        assert now < next_tick(0.0, 0.1, now) <= now + 0.1001
