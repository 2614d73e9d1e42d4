"""Rule 8, first half: a start is synchronous."""

from __future__ import annotations

import math
from functools import partial

import pytest
import trio

from actors import ActorError, RestartLimitExceeded, open_system
from tests.actors.counter import Counter, Crash, Nap


@pytest.mark.schedules
async def test_a_start_returns_when_on_start_has_run() -> None:
    journal: list[str] = []
    async with open_system() as system:
        await system.start(partial(Counter, journal))
        assert journal == ["start"]


@pytest.mark.schedules
async def test_no_actor_starts_in_a_system_that_is_being_left() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        await counter.tell(Nap(1))
    with pytest.raises(ActorError, match="no actor starts in a system that is being left"):
        await system.start(Counter)


@pytest.mark.schedules
async def test_a_cancelled_task_starts_nothing() -> None:
    async with open_system() as system:
        with trio.CancelScope() as scope:
            scope.cancel()
            await system.start(Counter)
        assert list(system.tree()) == []


async def test_names_are_unique_among_running_actors() -> None:
    async with open_system() as system:
        await system.start(Counter)
        await system.start(Counter)
        await system.start(Counter, name="Counter-3")
        await system.start(Counter)
        names = [actor.name for actor in system.tree()]
        assert names == ["Counter", "Counter-2", "Counter-3", "Counter-4"]
        with pytest.raises(ActorError, match="an actor named Counter-2 runs already"):
            await system.start(Counter, name="Counter-2")


async def test_a_mailbox_without_room_is_refused() -> None:
    async with open_system() as system:
        with pytest.raises(ValueError, match="room for one message at least, not for 0"):
            await system.start(Counter, mailbox=0)


@pytest.mark.parametrize("grace", [-1, math.nan])
async def test_a_grace_period_that_is_none_is_refused_on_entry(grace: float) -> None:
    with pytest.raises(ValueError, match="a grace period cannot last"):
        async with open_system(grace=grace):
            pytest.fail("the block is not entered")


async def test_a_factory_that_returns_one_instance_for_two_actors_is_refused() -> None:
    counter = Counter()
    async with open_system() as system:
        await system.start(lambda: counter)
        with pytest.raises(ActorError, match="factory of Counter gave an instance that was start"):
            await system.start(lambda: counter)
        assert len(list(system.tree())) == 1
        assert counter.journal == ["start"]


async def test_a_crashed_instance_that_the_factory_returns_again_does_not_go_on() -> None:
    counter = Counter()

    async def start() -> None:
        async with open_system() as system:
            ref = await system.start(lambda: counter)
            await ref.tell(Crash())
            await trio.sleep_forever()

    with pytest.raises(RestartLimitExceeded) as exceeded:
        await start()
    assert "was started before" in str(exceeded.value.__cause__)
    assert counter.journal == ["start", "crash"]
