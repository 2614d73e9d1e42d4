"""Rule 2 when the cancellation of an ask and the end of its handler almost coincide."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

from actors import Actor, Message, Restart, open_system
from actors.testing import settle
from tests.actors.counter import Asker


@dataclass(frozen=True, slots=True)
class Nap(Message["Sluggish", None]):
    """Handled for a second."""


@dataclass(frozen=True, slots=True)
class Note(Message["Sluggish", None]):
    """Handled at once."""


@dataclass(frozen=True, slots=True)
class Compute(Message["Sluggish", None]):
    """Handled for ten seconds in which no other task runs, and then for ever."""


class Sluggish(Actor):
    @Nap.handler
    async def nap(self, _message: Nap) -> None:
        await trio.sleep(1)

    @Note.handler
    def note(self, _message: Note) -> None:
        pass

    @Compute.handler
    async def compute(self, _message: Compute) -> None:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        clock.jump(10)
        await trio.sleep_forever()


@pytest.mark.schedules
async def test_a_deadline_that_expires_as_there_is_room_is_reported_by_its_own_scope() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(Sluggish, mailbox=1)
        await ref.tell(Nap())
        await settle()
        await ref.tell(Note())
        asker = Asker(nursery, ref, Compute(), within=5)
        await asker.done.wait()
        assert asker.outcome is None, "neither an answer nor an error"
        assert asker.scope.cancelled_caught


@dataclass(frozen=True, slots=True)
class CrashLater(Message["Hopeless", None]):
    """Crashes an async handler."""


class Hopeless(Actor):
    def __init__(self, starts: list[int]) -> None:
        starts.append(len(starts))
        if 1 < len(starts) < 60:
            raise LookupError

    @CrashLater.handler
    async def fall(self, _message: CrashLater) -> None:
        raise LookupError


@pytest.mark.schedules
async def test_an_asker_may_be_cancelled_as_soon_as_its_handler_has_ended() -> None:
    starts: list[int] = []
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(lambda: Hopeless(starts), restart=Restart(limit=1000))
        asker = Asker(nursery, ref, CrashLater())
        while len(starts) < 5:
            await trio.lowlevel.checkpoint()
        asker.cancel()
        await asker.done.wait()
        assert len(starts) < 20, "the next start that succeeds is not waited for"
        assert asker.outcome is None
        assert asker.scope.cancelled_caught
