"""Wrong uses of the toolkit: both type checkers reject each line that is marked, and no other.

A mark is an ignore comment, which mypy reports if it is not needed and pyright respects, so this
file passes `make check`. The test beside it removes the marks and runs both checkers on the rest.
"""

# pyright: strict

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial

from actors import Actor, Message, Ref, Reply, System
from actors.testing import Probe


@dataclass(frozen=True, slots=True)
class Add(Message["Counter", int]):
    by: int = 1


@dataclass(frozen=True, slots=True)
class Reach(Message["Counter", int]):
    goal: int


@dataclass(frozen=True, slots=True)
class Knock(Message["Door", str]):
    pass


class Door(Actor):
    @Knock.handler
    def knock(self, _message: Knock) -> str:
        return "come in"


class WrongReturn(Actor):
    @Add.handler  # type: ignore[arg-type]
    def add(self, message: Add) -> str:
        return str(message.by)


class WrongAsyncReturn(Actor):
    @Add.handler  # type: ignore[arg-type]
    async def add(self, message: Add) -> str:
        return str(message.by)


class WrongAwaitable(Actor):
    @Add.handler  # type: ignore[arg-type]
    def add(self, message: Add) -> Awaitable[int]:
        return self.later(message)

    async def later(self, message: Add) -> int:
        return message.by


class WrongMessage(Actor):
    @Add.handler  # type: ignore[arg-type]
    def add(self, message: Knock) -> int:
        return len(str(message))


class WrongReply(Actor):
    @Reach.deferred  # type: ignore[arg-type]
    def reach(self, message: Reach, reply: Reply[str]) -> None:
        reply.send(str(message))


class WrongDuty(Actor):
    @Reach.deferred  # type: ignore[arg-type]
    async def reach(self, message: Reach, reply: Reply[int]) -> None:
        reply.send(message.goal)


class MissingReply(Actor):
    @Reach.deferred  # type: ignore[arg-type]
    def reach(self, message: Reach) -> int:
        return message.goal


class Counter(Actor):
    def __init__(self, total: int) -> None:
        self.total = total

    @Reach.deferred
    def reach(self, message: Reach, reply: Reply[int]) -> None:
        reply.send(str(message.goal))  # type: ignore[arg-type]
        reply.fail("not an error")  # type: ignore[arg-type]
        reply.on_abandoned(self.later)  # type: ignore[arg-type]
        self.after(1, self.later)  # type: ignore[arg-type]

    async def later(self) -> None: ...


class WrongOverride(Door):
    def knock(self, _message: Knock) -> int:  # type: ignore[override]
        return 1


async def use(counter: Ref[Counter], door: Ref[Door], base: Ref[Actor]) -> None:
    wrong: str = await counter.ask(Add())  # type: ignore[arg-type]
    wrong += (await counter.ask(Add())).upper()  # type: ignore[attr-defined]
    await counter.ask(Knock())  # type: ignore[arg-type]
    await counter.tell(Knock())  # type: ignore[arg-type]
    counter.tell_nowait(Knock())  # type: ignore[arg-type]
    await door.ask("knock")  # type: ignore[arg-type]
    await base.ask(Add())  # type: ignore[arg-type]
    other: Ref[Door] = counter  # type: ignore[assignment]
    await other.ask(Knock())


async def connect_to(total: int) -> Counter:
    return Counter(total)


async def count() -> int:
    return 1


async def use_system(system: System) -> None:
    await system.start(Counter)  # type: ignore[arg-type]
    await system.start(partial(Door, 5))  # type: ignore[call-arg]
    await system.start(dict)  # type: ignore[arg-type]
    await system.start(connect_to)  # type: ignore[arg-type]
    await system.start(partial(connect_to, "5"))  # type: ignore[arg-type]
    await system.start(count)  # type: ignore[type-var]
    counter: Ref[Counter] = await system.start(Door)  # type: ignore[arg-type]
    wrong: Ref[Door] = await system.start(partial(connect_to, 5))  # type: ignore[arg-type]
    await wrong.ask(Knock())
    unanswered: Awaitable[str] = counter.ask(Add())  # type: ignore[arg-type]
    await unanswered


async def use_probe(probe: Probe[Counter], doors: Probe[Door]) -> None:
    probe.answer(Add, "3")  # type: ignore[misc]
    probe.answer(Add, 3, None)  # type: ignore[misc]
    probe.answer(Add, ValueError)  # type: ignore[misc]
    probe.answer(Knock, "come in")  # type: ignore[arg-type]
    probe.answer(Add())  # type: ignore[arg-type]
    wrong: str = await probe.ask(Add())  # type: ignore[arg-type]
    wrong += (await probe.next(Add)).goal  # type: ignore[attr-defined]
    probe.reply(await probe.next(Add), wrong)  # type: ignore[misc]
    probe.reply(await doors.next(Knock), wrong)  # type: ignore[arg-type]
    probe.fail(await doors.next(Knock), ValueError())  # type: ignore[arg-type]
    probe.fail(await probe.next(Add), "no")  # type: ignore[arg-type]
    await probe.next(Door)  # type: ignore[type-var]
    ref: Ref[Door] = probe  # type: ignore[assignment]
    await ref.tell(Knock())
    Probe(int)  # type: ignore[type-var]
