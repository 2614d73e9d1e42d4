"""Rule 5, first half: a refusal is an answer."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Self

import pytest
import trio

from actors import Actor, ActorError, Message, Ref, Refusal, Reply, open_system
from actors.testing import settle
from tests.actors.counter import Add, Asker, Counter, No, Refuse


@dataclass(frozen=True, slots=True)
class Closed(Refusal):
    """A refusal that is a frozen value, as messages are."""

    retry_after: float


class Busy(Refusal):
    """A refusal with a constructor of its own, whose arguments are not in `args`."""

    def __new__(cls, *, seconds: float) -> Self:
        made = super().__new__(cls, "busy", "for a while")
        made.seconds = seconds
        return made

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds


class Several(Refusal, ExceptionGroup[Exception]):
    """A refusal for several reasons, which cannot be made again from its `args`."""

    def __new__(cls, *reasons: str) -> Self:
        made = super().__new__(cls, "several", [ValueError(reason) for reason in reasons])
        made.args = reasons
        return made

    def __init__(self, *reasons: str) -> None:
        self.reasons = reasons


class Missing(Refusal, KeyError, OSError):  # noqa: N818 - a refusal, no error
    """A refusal that is also errors of Python's own, of different layouts."""


@dataclass(frozen=True, slots=True)
class Wait(Message["Door", None]):
    """Kept until the door is shut."""


@dataclass(frozen=True, slots=True)
class Shut(Message["Door", None]):
    """Refuses all askers that wait, with one and the same refusal."""

    refusal: Exception


@dataclass(frozen=True, slots=True)
class Fetch(Message["Door", None]):
    """Answered with the refusal."""

    refusal: Exception


@dataclass(frozen=True, slots=True)
class Lend(Message["Door", None]):
    """Answered with the refusal by an async handler."""

    refusal: Exception


@dataclass(frozen=True, slots=True)
class Knock(Message["Door", None]):
    """Refused by an async handler."""


class Door(Actor):
    def __init__(self) -> None:
        self.waiting: list[Reply[None]] = []
        self.refusal = No(why="always the same")

    @Wait.deferred
    def wait(self, _message: Wait, reply: Reply[None]) -> None:
        if len(self.waiting) == 3:
            raise self.refusal
        self.waiting.append(reply)

    @Shut.handler
    def shut(self, message: Shut) -> None:
        for reply in self.waiting:
            reply.fail(message.refusal)

    @Fetch.handler
    def fetch(self, message: Fetch) -> None:
        raise message.refusal

    @Lend.handler
    async def lend(self, message: Lend) -> None:
        raise message.refusal

    @Knock.handler
    async def knock(self, _message: Knock) -> None:
        await trio.lowlevel.checkpoint()
        raise self.refusal


@pytest.mark.schedules
async def test_a_refusal_is_raised_in_the_asker_and_the_actor_goes_on() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        await counter.ask(Add(2))
        with pytest.raises(No, match="no: not today") as refusal:
            await counter.ask(Refuse())
        assert refusal.value.why == "not today"
        assert await counter.ask(Add(1)) == 3
        seen = counter.statistics()
        assert (seen.refused, seen.crashed, seen.handled) == (1, 0, 2)


@pytest.mark.schedules
async def test_a_refusal_of_a_tell_is_counted_and_dropped() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        await counter.tell(Refuse())
        assert await counter.ask(Add(1)) == 1
        assert counter.statistics().refused == 1


@pytest.mark.schedules
async def test_an_async_and_a_deferred_handler_refuse_alike() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        door = await system.start(Door)
        with pytest.raises(No):
            await door.ask(Knock())
        waiting = [Asker(nursery, door, Wait()) for _ in range(3)]
        await settle()
        with pytest.raises(No):
            await door.ask(Wait())
        await door.ask(Shut(Closed(5)))
        await settle()
        assert [asker.error for asker in waiting] == [Closed(5)] * 3
        assert door.statistics().refused == 5


@pytest.mark.schedules
async def test_one_refusal_raised_in_many_tasks_has_a_traceback_in_each() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        door = await system.start(Door)
        waiting = [Asker(nursery, door, Wait()) for _ in range(3)]
        await settle()
        one = No(why="the same for all")
        one.add_note("a note")
        await door.ask(Shut(one))
        await settle()
        assert len({id(asker.error) for asker in waiting}) == 3
        lengths = {len(traceback.extract_tb(asker.error.__traceback__)) for asker in waiting}
        assert len(lengths) == 1
        assert one.__traceback__ is None
        assert all(asker.error.__notes__ == ["a note"] for asker in waiting)


async def test_a_refusal_keeps_its_data_and_its_cause() -> None:
    refusal = No(why="a reason")
    refusal.__cause__ = KeyError("x")
    async with open_system() as system, trio.open_nursery() as nursery:
        door = await system.start(Door)
        asker = Asker(nursery, door, Wait())
        await settle()
        await door.ask(Shut(refusal))
        await asker.done.wait()
    assert isinstance(asker.error, No)
    assert (asker.error.why, str(asker.error)) == ("a reason", "no: a reason")
    assert asker.error.__cause__ is refusal.__cause__


async def test_a_reply_can_be_failed_with_any_error() -> None:
    error = OSError(2, "no such thing", "name")

    async def shut_out_the_next(door: Ref[Door]) -> None:
        await settle()
        await door.ask(Shut(error))

    async with open_system() as system, trio.open_nursery() as nursery:
        door = await system.start(Door)
        nursery.start_soon(shut_out_the_next, door)
        with pytest.raises(FileNotFoundError) as raised:
            await door.ask(Wait())
        assert raised.value is error
        assert door.statistics().refused == 0


def test_a_refusal_is_no_actor_error() -> None:
    assert not issubclass(Refusal, ActorError)


class Private(Refusal):
    """Carries its data in private attributes."""

    __slots__ = ("__retry_after",)

    def __init__(self, retry_after: float) -> None:
        super().__init__("later")
        self.__retry_after = retry_after

    @property
    def retry_after(self) -> float:
        return self.__retry_after


class Lone(Refusal):
    """Has one slot, and no tuple around its name."""

    __slots__ = "retry_after"  # noqa: PLC0205 - legal, so a user may write it

    def __init__(self, retry_after: float) -> None:
        super().__init__("later")
        self.retry_after = retry_after


@pytest.mark.parametrize("kind", [Private, Lone])
async def test_a_refusal_arrives_with_what_it_carries_in_slots(
    kind: type[Private | Lone],
) -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        door = await system.start(Door)
        waiting = Asker(nursery, door, Wait())
        await settle()
        await door.ask(Shut(kind(3)))
        await waiting.done.wait()
        assert isinstance(waiting.error, kind)
        assert waiting.error.retry_after == 3


async def test_a_refusal_with_a_constructor_of_its_own_is_raised_in_the_asker() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        door = await system.start(Door)
        with pytest.raises(Busy) as refused:
            await door.ask(Fetch(Busy(seconds=3)))
        assert (refused.value.seconds, refused.value.args) == (3, ("busy", "for a while"))
        with pytest.raises(Missing):
            await door.ask(Fetch(Missing(2, "no such file")))
        askers = [Asker(nursery, door, Wait()) for _ in range(3)]
        await settle()
        shared = Busy(seconds=5)
        await door.ask(Shut(shared))
        await settle()
        errors = [asker.error for asker in askers]
        assert [error.seconds for error in errors if isinstance(error, Busy)] == [5, 5, 5]
        assert len({id(error) for error in [shared, *errors]}) == 4
        seen = door.statistics()
        assert (seen.state, seen.crashed, seen.refused) == ("running", 0, 5)


@pytest.mark.parametrize("ask", [Fetch, Lend])
async def test_a_refusal_that_cannot_be_copied_is_raised_in_the_asker_as_it_is(
    ask: type[Fetch | Lend],
) -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        door = await system.start(Door)
        waiting = Asker(nursery, door, Wait())
        await settle()
        refusal = Several("closed", "late", "full")
        with pytest.raises(Several) as refused:
            await door.ask(ask(refusal))
        assert refused.value is refusal
        await door.ask(Shut(refusal))
        await settle()
        assert waiting.error is refusal
        assert door.statistics().crashed == 0
