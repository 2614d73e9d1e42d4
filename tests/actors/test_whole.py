"""The whole system as one group, and a handler that is no function."""

from __future__ import annotations

from functools import partial

import pytest

from actors import Actor, ActorError, open_system
from tests.actors.counter import Add, Counter


@pytest.mark.schedules
async def test_the_system_itself_can_be_stopped_as_a_group_can() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal))
        await counter.tell(Add(3))
        await system.stop()
        assert journal == ["start", "add 3", "stop"]
        assert list(system.tree()) == []
        with pytest.raises(ActorError):
            await system.start(Counter)


class Doubling:
    """Takes a message, as a method would."""

    def __call__(self, _instance: object, message: Add) -> int:
        return 2 * message.by


class Doubler(Actor):
    add = Add.handler(Doubling())


@pytest.mark.schedules
async def test_a_handler_may_be_anything_that_can_be_called() -> None:
    async with open_system() as system:
        doubler = await system.start(Doubler)
        assert await doubler.ask(Add(4)) == 8  # type: ignore[arg-type] # Add is a Counter's
