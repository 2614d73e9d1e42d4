"""A KeyboardInterrupt in a turn or an `on_stop` ends the system, and no task hangs."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors import ActorStopped, Ref, open_system
from actors.testing import settle
from tests.actors.counter import Asker, Counter, Crash, Nap, Reach


async def test_an_interrupt_in_a_turn_ends_the_system_and_no_task_hangs() -> None:
    askers: list[Asker[Any]] = []

    async def interrupt() -> None:
        async with open_system() as system:
            ref = await system.start(Interrupted)
            askers.append(Asker(outside, ref, Crash()))
            await trio.sleep_forever()

    async with trio.open_nursery() as outside:
        with pytest.raises(BaseExceptionGroup) as group:
            await interrupt()
        assert group.value.split(SystemExit)[1] is None
        (asker,) = askers
        await asker.done.wait()
        assert str(asker.error) == "Interrupted has stopped"


class Interrupted(Counter):
    @Crash.handler
    def exit(self, _message: Crash) -> None:
        raise SystemExit


class Impatient(Counter):
    def on_stop(self) -> None:
        raise KeyboardInterrupt


@pytest.mark.schedules
async def test_an_interrupt_in_an_on_stop_hides_neither_the_stop_nor_the_asks() -> None:
    stopped: list[Ref[Counter]] = []

    async def interrupt() -> None:
        async with open_system(grace=1) as system:
            stopped.append(await system.start(Counter))
            stopped.append(await system.start(Impatient))
            askers.append(Asker(outside, stopped[1], Reach(9)))
            await settle()
            askers.append(Asker(outside, stopped[1], Nap(60)))
            await settle()

    askers: list[Asker[int] | Asker[str]] = []
    async with trio.open_nursery() as outside:
        with pytest.raises(BaseExceptionGroup) as group:
            await interrupt()
        assert group.value.split(KeyboardInterrupt)[1] is None
        for ref in stopped:
            await ref.wait_stopped()
            assert ref.statistics().state == "stopped"
    assert [type(asker.error) for asker in askers] == [ActorStopped] * 2


async def test_an_interrupt_of_an_actor_hides_no_error_of_the_block() -> None:
    async def interrupt() -> None:
        async with open_system(grace=1) as system:
            await system.start(Impatient)
            raise LookupError

    with pytest.raises(BaseExceptionGroup) as group:
        await interrupt()
    assert len(group.value.exceptions) == 2
    only_interrupts, rest = group.value.split(KeyboardInterrupt)
    assert only_interrupts is not None
    assert rest is not None
    assert [type(error) for error in rest.exceptions] == [LookupError]


@pytest.mark.schedules
async def test_a_cancellation_from_outside_hides_no_error_of_the_block() -> None:
    async def fail(outside: trio.CancelScope) -> None:
        with outside:
            async with open_system() as system:
                await system.start(Counter)
                outside.cancel()
                raise LookupError

    with pytest.raises(LookupError):
        await fail(trio.CancelScope())


@pytest.mark.schedules
async def test_a_cancellation_from_outside_goes_on_where_nothing_has_failed() -> None:
    with trio.CancelScope() as outside:
        async with open_system() as system:
            await system.start(Counter)
            outside.cancel()
        pytest.fail("the system's end is where it is noticed")
    assert outside.cancelled_caught


class Jumpy(Counter):
    def abandon(self, goal: int) -> None:
        raise SystemExit(goal)


@pytest.mark.schedules
@pytest.mark.parametrize("busy", [False, True])
async def test_an_interrupt_in_on_abandoned_ends_the_system(*, busy: bool) -> None:
    async def interrupt() -> None:
        async with open_system(grace=1) as system:
            jumpy = await system.start(Jumpy)
            Asker(outside, jumpy, Reach(9), within=1)
            await settle()
            if busy:
                Asker(outside, jumpy, Nap(60))
            await trio.sleep_forever()

    async with trio.open_nursery() as outside:
        with pytest.raises(BaseExceptionGroup) as group:
            await interrupt()
    assert group.value.split(SystemExit)[1] is None
