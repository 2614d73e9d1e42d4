"""A reply that its callback does not hold is collected where it is dropped, and its asker told."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import partial
from itertools import count

import pytest
import trio

from actors import Actor, Message, Reply, open_system
from actors.testing import settle
from tests.actors.counter import Asker


class Wait(Message["Cloakroom", int]):
    """Answered never."""


class Forget(Message["Cloakroom", int]):
    """Answered with the number of those who were forgotten."""


class Cloakroom(Actor):
    """Keeps replies by ticket."""

    def __init__(self) -> None:
        self.waiting: dict[int, Reply[int]] = {}
        self.tickets = count()

    @Wait.deferred
    def wait(self, _message: Wait, reply: Reply[int]) -> None:
        ticket = next(self.tickets)
        self.waiting[ticket] = reply
        reply.on_abandoned(partial(self.cancel, ticket))

    def cancel(self, ticket: int) -> None:
        del self.waiting[ticket]

    @Forget.handler
    def forget(self, _message: Forget) -> int:
        forgotten = len(self.waiting)
        self.waiting.clear()
        return forgotten


@pytest.fixture
def collector() -> Iterator[None]:
    """Keep the collector away, so that only what nobody holds is freed."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collector")
@pytest.mark.schedules(10)
async def test_an_asker_whose_reply_is_dropped_hears_of_it_at_once() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        cloakroom = await system.start(Cloakroom)
        askers = [Asker(nursery, cloakroom, Wait()) for _ in range(3)]
        await settle()
        assert await cloakroom.ask(Forget()) == 3
        await settle()
        for asker in askers:
            assert str(asker.error) == "Cloakroom dropped its reply to Wait"


@pytest.mark.usefixtures("collector")
@pytest.mark.schedules(10)
async def test_an_asker_who_leaves_is_found_by_his_ticket() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        cloakroom = await system.start(Cloakroom)
        staying, leaving = (Asker(nursery, cloakroom, Wait()) for _ in range(2))
        await settle()
        leaving.cancel()
        await settle()
        assert await cloakroom.ask(Forget()) == 1
        await settle()
        assert str(staying.error) == "Cloakroom dropped its reply to Wait"
