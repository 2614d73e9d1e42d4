"""What ends with an instance, when it crashes or stops."""

from __future__ import annotations

import gc
import logging
import weakref
from functools import partial

import pytest
import trio

from actors import Actor, ActorCrashed, ActorError, Restart, open_system
from actors.testing import settle
from tests.actors.clock import Clock, Do, after, crash, every
from tests.actors.counter import Boom, Counter, Crash, No


@pytest.mark.schedules
async def test_the_timers_of_a_crashed_instance_are_dropped() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        for _ in range(2):
            await clock.tell(every(2))
            await trio.sleep(3)
            await clock.tell(Do(crash))
        await trio.sleep(5)
        assert clock.statistics().restarts == 2
    assert rings == [("tick", 2), ("tick", 5)]


@pytest.mark.schedules
async def test_a_crash_in_a_timer_is_a_crash_of_the_actor() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings), restart=Restart(limit=1, within=1))
        await clock.ask(Do(lambda c: c.after(1, crash)))
        await clock.ask(Do(lambda c: c.every(1, crash)))
        await trio.sleep(5)
        assert clock.statistics().restarts == 1
        await clock.ask(after(1))
        await trio.sleep(2)
    assert rings == [("once", 6)]


@pytest.mark.schedules
async def test_a_refusal_in_a_timer_is_only_counted() -> None:
    async with open_system() as system:
        clock = await system.start(partial(Clock, []))
        await clock.ask(Do(lambda c: c.after(1, refuse)))
        await trio.sleep(2)
        seen = clock.statistics()
        assert (seen.refused, seen.crashed) == (1, 0)


def refuse() -> None:
    raise No(why="no asker")


@pytest.mark.schedules
async def test_the_timers_of_a_stopped_actor_are_dropped() -> None:
    rings: list[tuple[str, float]] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, rings))
        await clock.ask(every(1))
        clock.stop()
        await clock.wait_stopped()
        await trio.sleep(5)
    assert rings == []


@pytest.mark.schedules
async def test_a_stopped_instance_sets_no_timers() -> None:
    instances: list[Clock] = []
    async with open_system() as system:
        clock = await system.start(partial(Clock, []))
        await clock.ask(Do(instances.append))
        with pytest.raises(ActorCrashed):
            await clock.ask(Do(crash))
        with pytest.raises(
            ActorError, match="a timer is set by an instance that has crashed or stopped"
        ):
            instances[0].after(1, print)


@pytest.mark.schedules
async def test_a_timer_may_be_set_by_on_start_of_every_instance() -> None:
    rings: list[float] = []
    async with open_system() as system:
        ref = await system.start(partial(Early, rings), restart=Restart(limit=9, within=1))
        await trio.sleep(5)
        assert ref.statistics().restarts == 2
    assert rings == [2, 4]


class Early(Actor):
    def __init__(self, rings: list[float]) -> None:
        self.rings = rings

    def on_start(self) -> None:
        self.after(2, self.ring)

    def ring(self) -> None:
        self.rings.append(trio.current_time())
        raise Boom


@pytest.mark.parametrize("crashes", [False, True], ids=["stopped", "crashed"])
async def test_a_ref_that_is_kept_does_not_keep_a_stopped_instance(
    *, crashes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest keeps the log records of the crash, with its traceback.
    monkeypatch.setattr(logging.getLogger("actors"), "disabled", True)
    instances: list[weakref.ref[Counter]] = []

    def make() -> Counter:
        counter = Counter()
        instances.append(weakref.ref(counter))
        return counter

    async with open_system() as system:
        counter = await system.start(make, restart=Restart(backoff=5, jitter=0))
        if crashes:
            counter.tell_nowait(Crash())
            await settle()
            counter.stop()
            await counter.wait_stopped()
    gc.collect()
    assert instances[0]() is None
    assert counter.statistics().state == "stopped"
