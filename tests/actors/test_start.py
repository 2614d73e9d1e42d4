"""Rule 8, its first half: a start is synchronous."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorError, open_system
from tests.actors.cast import Counter, Nap


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
async def test_somebody_cancelled_starts_nothing() -> None:
    async with open_system() as system:
        with trio.CancelScope() as scope:
            scope.cancel()
            await system.start(Counter)
        assert list(system.tree()) == []


async def test_names_are_unique_among_the_living() -> None:
    async with open_system() as system:
        await system.start(Counter)
        await system.start(Counter)
        await system.start(Counter, name="Counter-3")
        await system.start(Counter)
        names = [actor.name for actor in system.tree()]
        assert names == ["Counter", "Counter-2", "Counter-3", "Counter-4"]
        with pytest.raises(ActorError, match="an actor named Counter-2 lives already"):
            await system.start(Counter, name="Counter-2")


async def test_a_mailbox_without_room_is_refused() -> None:
    async with open_system() as system:
        with pytest.raises(ValueError, match="room for one message at least, not for 0"):
            await system.start(Counter, mailbox=0)
