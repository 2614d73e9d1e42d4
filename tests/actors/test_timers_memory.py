"""Timers that have rung, or were cancelled, leave nothing behind."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from actors import open_system
from actors.testing import settle
from tests.actors.clock import Clock, Do, crash


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
async def test_timers_that_have_rung_leave_nothing_behind() -> None:
    timers: list[Any] = []

    def set_many(clock: Clock) -> None:
        timers.extend(clock.after(1, partial(clock.ring, "once")) for _ in range(200))

    async with open_system() as system:
        clock = await system.start(partial(Clock, []))
        await clock.ask(Do(set_many))
        await trio.sleep(2)
        assert timers[0]._timers._heap == []
