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


class TakeTicket(Message["TicketKeeper", int]):
    """Answered never."""


class ForgetAll(Message["TicketKeeper", int]):
    """Answered with the number of those who were forgotten."""


class TicketKeeper(Actor):
    """Keeps replies by ticket."""

    def __init__(self) -> None:
        self.waiting: dict[int, Reply[int]] = {}
        self.tickets = count()

    @TakeTicket.deferred
    def wait(self, _message: TakeTicket, reply: Reply[int]) -> None:
        ticket = next(self.tickets)
        self.waiting[ticket] = reply
        reply.on_abandoned(partial(self.cancel, ticket))

    def cancel(self, ticket: int) -> None:
        del self.waiting[ticket]

    @ForgetAll.handler
    def forget(self, _message: ForgetAll) -> int:
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
        keeper = await system.start(TicketKeeper)
        askers = [Asker(nursery, keeper, TakeTicket()) for _ in range(3)]
        await settle()
        assert await keeper.ask(ForgetAll()) == 3
        await settle()
        for asker in askers:
            assert str(asker.error) == "TicketKeeper dropped its reply to TakeTicket"


@pytest.mark.usefixtures("collector")
@pytest.mark.schedules(10)
async def test_an_asker_who_leaves_is_found_by_his_ticket() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        keeper = await system.start(TicketKeeper)
        staying, leaving = (Asker(nursery, keeper, TakeTicket()) for _ in range(2))
        await settle()
        leaving.cancel()
        await settle()
        assert await keeper.ask(ForgetAll()) == 1
        await settle()
        assert str(staying.error) == "TicketKeeper dropped its reply to TakeTicket"
