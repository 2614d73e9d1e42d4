"""Timers: a callback runs as a turn, in time and in order, or not at all."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from actors import ActorCrashed, Timer, open_system
from actors.actor import next_tick
from actors.testing import settle
from tests.actors.clock import Clock, Do, Sleep, after, crash, every
from tests.actors.counter import Counter, Nap


@pytest.mark.schedules
async def test_after_runs_once_and_in_time() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.tell(after(3, "third"))
        await clock.tell(after(1, "first"))
        await clock.tell(after(2, "second"))
        await trio.sleep(10)
    assert rings == [("first", 1), ("second", 2), ("third", 3)]


@pytest.mark.schedules
async def test_every_runs_again_and_again_on_its_grid() -> None:
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
async def test_a_timer_that_is_due_waits_for_the_running_handler_only() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.tell(after(1))
        for _ in range(3):
            await clock.tell(Sleep(2))
        await trio.sleep(7)
    assert rings[:4] == [("busy", 0), ("free", 2), ("once", 2), ("busy", 2)]


@pytest.mark.schedules
async def test_a_cancelled_timer_does_not_run_and_may_be_cancelled_again() -> None:
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
async def test_a_timer_that_has_run_may_be_cancelled() -> None:
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


@pytest.mark.schedules
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
        while (seen := len(rings)) < 450:
            await trio.lowlevel.checkpoint()
            # Trio runs a ready task once a pass, in any order: 64 timers at most twice per look.
            assert len(rings) - seen <= 128


@pytest.mark.schedules
async def test_an_earlier_timer_set_later_runs_first() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.ask(after(5, "late"))
        await settle()
        await clock.ask(after(1, "early"))
        await trio.sleep(6)
    assert rings == [("early", 1), ("late", 5)]


@pytest.mark.schedules(5)
async def test_timers_run_in_order_though_most_of_them_were_cancelled() -> None:
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
async def test_many_timers_due_while_the_actor_is_busy_run_before_it_goes_on() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        for _ in range(200):
            await clock.tell(after(1))
        await clock.tell(Sleep(2))
        await clock.ask(Sleep(1))
    assert rings == [("busy", 0), ("free", 2), *[("once", 2)] * 200, ("busy", 2), ("free", 3)]


@pytest.mark.schedules
async def test_timers_run_in_a_cancelled_system_while_later_actors_unwind() -> None:
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


@pytest.mark.schedules
async def test_a_timer_that_sets_itself_again_at_once_lets_messages_through() -> None:
    rings: list[tuple[str, float]] = []

    def step(clock: Clock) -> None:
        assert len(rings) < 10000, "nothing else runs"
        clock.ring("step")
        clock.after(0, partial(step, clock))

    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.tell(Do(lambda clock: clock.after(1, partial(step, clock))))
        await clock.tell(Sleep(2))
        await clock.ask(Do(partial(Clock.ring, what="asked")))
        assert ("asked", 2) in rings
        clock.stop()
        await clock.wait_stopped()


async def test_thousands_of_timers_are_one_task_and_leave_nothing_behind() -> None:
    timers: list[Any] = []

    def set_many(clock: Clock) -> None:
        timers.extend(clock.after(60, crash) for _ in range(5000))

    async with open_system() as system:
        clock = await system.start(partial(Clock, []))
        tasks = trio.lowlevel.current_statistics().tasks_living
        await clock.ask(Do(set_many))
        await settle()
        assert trio.lowlevel.current_statistics().tasks_living == tasks + 1
        for timer in timers:
            timer.cancel()
        assert len(timers[0]._timers._heap) < 100, "swept"


@pytest.mark.schedules(5)
async def test_timers_that_have_run_leave_nothing_behind() -> None:
    timers: list[Any] = []

    def set_many(clock: Clock) -> None:
        timers.extend(clock.after(1, partial(clock.ring, "once")) for _ in range(200))

    async with open_system() as system:
        clock = await system.start(partial(Clock, []))
        await clock.ask(Do(set_many))
        await trio.sleep(2)
        assert timers[0]._timers._heap == []
