"""Clock, an actor that sets timers on request, and notes when they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import trio

from actors import Actor, Message
from tests.actors.counter import Boom


@dataclass(frozen=True, slots=True)
class Do(Message["Clock", None]):
    """Calls a function with the clock, as a turn."""

    what: Callable[[Clock], object]


@dataclass(frozen=True, slots=True)
class Sleep(Message["Clock", None]):
    """Keeps the clock busy."""

    seconds: float


class Clock(Actor):
    def __init__(self, rings: list[tuple[str, float]]) -> None:
        self.rings = rings

    def ring(self, what: str) -> None:
        self.rings.append((what, trio.current_time()))

    @Do.handler
    def do(self, message: Do) -> None:
        message.what(self)

    @Sleep.handler
    async def sleep(self, message: Sleep) -> None:
        self.ring("busy")
        await trio.sleep(message.seconds)
        self.ring("free")


def after(seconds: float, what: str = "once") -> Do:
    return Do(lambda clock: clock.after(seconds, partial(clock.ring, what)))


def every(seconds: float, what: str = "tick") -> Do:
    return Do(lambda clock: clock.every(seconds, partial(clock.ring, what)))


def crash(_clock: object = None) -> None:
    raise Boom
