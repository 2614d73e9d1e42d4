"""Actors that crash: in every kind of turn, and as they start."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from actors import Actor, Message, Reply
from tests.actors.counter import Boom


@dataclass(frozen=True, slots=True)
class Hold(Message["Fragile", None]):
    """Kept for ever; crashes the actor when the ask is cancelled."""


@dataclass(frozen=True, slots=True)
class Work(Message["Fragile", None]):
    """Handled for ten seconds; one second to unwind."""


@dataclass(frozen=True, slots=True)
class Echo(Message["Fragile", str]):
    """Answered with its text."""

    text: str


@dataclass(frozen=True, slots=True)
class BreakLater(Message["Fragile", None]):
    """Crashes an async handler."""


class Fragile(Actor):
    def __init__(self) -> None:
        self.replies: list[Reply[None]] = []
        self.shattered = 0

    @Hold.deferred
    def hold(self, _message: Hold, reply: Reply[None]) -> None:
        self.replies.append(reply)
        reply.on_abandoned(self.shatter)

    def shatter(self) -> None:
        self.shattered += 1
        assert self.shattered == 1, "a crashed instance has no turns"
        raise Boom

    @Work.handler
    async def work(self, _message: Work) -> None:
        try:
            await trio.sleep(10)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    @Echo.handler
    def echo(self, message: Echo) -> str:
        return message.text

    @BreakLater.handler
    async def break_later(self, _message: BreakLater) -> None:
        await trio.sleep(1)
        raise Boom


@dataclass(frozen=True, slots=True)
class Break(Message["Faulty", None]):
    """Crashes."""


@dataclass
class Faulty(Actor):
    """Raises its faults, one at each start, and starts when none is left."""

    faults: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.fail("constructor")

    def on_start(self) -> None:
        self.fail("on_start")

    def fail(self, where: str) -> None:
        if where == "on_start":
            self.every(1, print)
        if self.faults and self.faults[0] == where:
            raise Boom(self.faults.pop(0))

    @Break.handler
    def crash(self, _message: Break) -> None:
        raise Boom("asked to")
