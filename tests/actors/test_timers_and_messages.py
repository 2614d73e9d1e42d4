"""Timers and messages take turns."""

from __future__ import annotations

from functools import partial

import pytest

from actors import open_system
from tests.actors.clock import Clock, Do, Sleep


@pytest.mark.schedules
async def test_a_timer_that_sets_itself_anew_at_once_lets_messages_through() -> None:
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
