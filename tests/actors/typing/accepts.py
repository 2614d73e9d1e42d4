"""Right uses of the toolkit: both type checkers accept every line."""

# pyright: strict

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_type

from actors import Actor, Message, Ref, Reply, Restart, Strategy, System, Timer, open_system
from actors.testing import Probe


@dataclass(frozen=True, slots=True)
class Add(Message["Counter", int]):
    by: int = 1


@dataclass(frozen=True, slots=True)
class Reset(Message["Counter", None]):
    pass


@dataclass(frozen=True, slots=True)
class Fetch(Message["Counter", "str | None"]):
    pass


@dataclass(frozen=True, slots=True)
class Reach(Message["Counter", int]):
    goal: int


class Counter(Actor):
    def __init__(self, total: int = 0) -> None:
        self.total = total
        self.replies: list[Reply[int]] = []
        self.timer: Timer | None = None

    @Add.handler
    def add(self, message: Add) -> int:
        self.timer = self.after(1.5, self.tick)
        return self.total + message.by

    @Reset.handler
    def reset(self, _message: Reset) -> None:
        self.total = 0

    @Fetch.handler
    async def fetch(self, _message: Fetch) -> str | None:
        return None

    @Reach.deferred
    def reach(self, message: Reach, reply: Reply[int]) -> None:
        reply.on_abandoned(partial(self.replies.remove, reply))
        assert_type(reply.send(message.goal), bool)
        self.replies.append(reply)

    def tick(self) -> None:
        assert_type(self.add(Add()), int)


class LoudCounter(Counter):
    def add(self, message: Add) -> int:
        return super().add(message)

    @Reach.deferred
    def reach(self, message: Reach, reply: Reply[int]) -> None:
        super().reach(message, reply)


@dataclass(frozen=True, slots=True)
class Shout(Message["LoudCounter", str]):
    pass


@dataclass(frozen=True, slots=True)
class Answer(Message["Clerk", None]):
    reply: Reply[bool]


class Clerk(Actor):
    @Answer.handler
    def answer(self, message: Answer) -> None:
        message.reply.send(True)


async def use(system: System) -> None:
    counter = await system.start(Counter)
    assert_type(counter, Ref[Counter])
    assert_type(await counter.ask(Add(2)), int)
    anything: object = await counter.ask(Add())
    either: int | str = await counter.ask(Add())
    assert str(anything) == str(either)
    assert_type(await counter.ask(Reset()), None)
    assert_type(await counter.ask(Fetch()), str | None)
    assert_type(await counter.ask(Reach(3)), int)
    await counter.tell(Reach(3))
    counter.tell_nowait(Add())


async def use_factories(system: System) -> None:
    assert_type(await system.start(partial(Counter, 5), name="five"), Ref[Counter])
    assert_type(await system.start(lambda: Counter(6), mailbox=9), Ref[Counter])
    make: Callable[[], LoudCounter] = LoudCounter
    loud = await system.start(make, restart=Restart(limit=1, within=2))
    assert_type(await loud.ask(Add()), int)
    assert_type(await loud.ask(Shout()), str)
    counter: Ref[Counter] = loud
    assert_type(await counter.ask(Add()), int)


async def connect() -> LoudCounter:
    return LoudCounter()


async def connect_to(total: int) -> Counter:
    return Counter(total)


async def use_async_factories(system: System) -> None:
    assert_type(await system.start(connect, name="loud"), Ref[LoudCounter])
    assert_type(await system.start(partial(connect_to, 5), mailbox=9), Ref[Counter])
    assert_type(await system.start(lambda: connect_to(6)), Ref[Counter])
    make: Callable[[], Awaitable[LoudCounter]] = connect
    loud = await system.group(Strategy.ONE_FOR_ONE).start(make, restart=Restart(limit=1))
    assert_type(await loud.ask(Shout()), str)
    counter: Ref[Counter] = loud
    assert_type(await counter.ask(Add()), int)
    counter = await system.start(connect)
    either: Callable[[], Counter | Awaitable[Counter]] = Counter
    assert_type(await system.start(either), Ref[Counter])


def pass_on(reply: Reply[int], clerk: Ref[Clerk]) -> None:
    clerk.tell_nowait(Answer(reply))


def script(probe: Probe[Counter]) -> None:
    probe.answer(Add, 3, 4, ValueError())
    probe.answer(Add, True)
    probe.answer(Reset, None, KeyError())
    probe.answer(Fetch, None, "fetched", OSError())
    probe.answer(Reach)
    assert_type(probe.received, tuple[Message[Counter, Any], ...])
    assert not probe.unasked


async def use_probes() -> None:
    probe = Probe(Counter)
    assert_type(probe, Probe[Counter])
    ref: Ref[Counter] = probe
    assert_type(await ref.ask(Add()), int)
    assert_type(await probe.ask(Fetch()), str | None)
    added = await probe.next(Add)
    assert_type(added, Add)
    assert_type(probe.reply(added, added.by), bool)
    assert_type(probe.reply(await probe.next(Fetch), None), bool)
    assert_type(probe.fail(added, ValueError()), bool)
    loud = Probe(LoudCounter, name="loud")
    loud.answer(Add, 3)
    loud.answer(Shout, "hey")
    ref = loud


async def main() -> None:
    async with open_system(grace=1) as system:
        await use(system)
        assert_type([actor.name for actor in system.tree()], list[str])
