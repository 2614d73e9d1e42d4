"""Works, an actor whose handlers take as long as a message says, and the clock that they move."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from actors import Actor, Message, Ref, Reply
from tests.actors.counter import Boom, No


@dataclass
class Stopwatch:
    """Returns trio's virtual time plus the time that handlers took without waiting."""

    taken: float = 0.0

    def __call__(self) -> float:
        return trio.current_time() + self.taken


@dataclass(frozen=True, slots=True)
class Work(Message["Works", None]):
    """Takes this many seconds without waiting; then returns, or raises."""

    seconds: float
    error: Exception | None = field(default=None)
    secret: str = "hunter2"


@dataclass(frozen=True, slots=True)
class Wait(Message["Works", None]):
    """Waits for some seconds, and then works for some."""

    seconds: float
    working: float = 0.0


@dataclass(frozen=True, slots=True)
class Keep(Message["Works", None]):
    """Works for this many seconds, and is answered later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WorkElsewhere(Message["Works", None]):
    """Asks another actor to work, and waits for it."""

    where: Ref[Works]
    seconds: float


class Works(Actor):
    def __init__(self, stopwatch: Stopwatch) -> None:
        self.stopwatch = stopwatch
        self.kept: list[Reply[None]] = []

    @Work.handler
    def work(self, message: Work) -> None:
        self.stopwatch.taken += message.seconds
        if message.error is not None:
            raise message.error

    @Wait.handler
    async def wait(self, message: Wait) -> None:
        await trio.sleep(message.seconds)
        self.stopwatch.taken += message.working

    @Keep.deferred
    def keep(self, message: Keep, reply: Reply[None]) -> None:
        self.stopwatch.taken += message.seconds
        self.kept.append(reply)

    @WorkElsewhere.handler
    async def work_elsewhere(self, message: WorkElsewhere) -> None:
        await message.where.ask(Work(message.seconds))


def refused(seconds: float) -> Work:
    return Work(seconds, No(why="not today"))


def crashed(seconds: float) -> Work:
    return Work(seconds, Boom())
