"""The actor that is measured, and its callers.

Rule: it imports the toolkit from `actors` only, so that `bare.py` can rewrite this module too, and
both sides run the same code.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from actors import Actor, Instrument, Message, Ref, Reply, open_system

Work = Callable[[int], Awaitable[None]]
"""Makes an exchange a given number of times, in a loop of its own, as a program would."""


@dataclass(frozen=True, slots=True)
class Add(Message["Counter", int]):
    """Count one more."""

    by: int = 1


@dataclass(frozen=True, slots=True)
class AddSlowly(Message["Counter", int]):
    """Count one more, after a checkpoint."""

    by: int = 1


@dataclass(frozen=True, slots=True)
class AddAndSend(Message["Counter", int]):
    """Count one more, with a deferred reply."""

    by: int = 1


class Counter(Actor):
    """An actor that does almost nothing."""

    def __init__(self) -> None:
        self.total = 0

    @Add.handler
    def add(self, message: Add) -> int:
        """Answer with the total."""
        self.total += message.by
        return self.total

    @AddSlowly.handler
    async def add_slowly(self, message: AddSlowly) -> int:
        """Answer with the total, from an async handler."""
        await trio.lowlevel.checkpoint()
        self.total += message.by
        return self.total

    @AddAndSend.deferred
    def add_and_send(self, message: AddAndSend, reply: Reply[int]) -> None:
        """Send the total at once: what is measured is the reply, not the wait."""
        self.total += message.by
        reply.send(self.total)


def asking(counter: Ref[Counter], message: Callable[[], Message[Counter, int]]) -> Work:
    """Return a function that asks a given number of times in a row."""

    async def ask(times: int) -> None:
        for _ in range(times):
            await counter.ask(message())

    return ask


def telling(counter: Ref[Counter]) -> Work:
    """Return a function that tells a given number of times, and waits until all are handled."""

    async def tell(times: int) -> None:
        for _ in range(times):
            await counter.tell(Add())
        while counter.statistics().queued:
            await trio.lowlevel.checkpoint()

    return tell


@asynccontextmanager
async def counting(*instruments: Instrument) -> AsyncGenerator[dict[str, Work]]:
    """Run a counter; yield the exchanges with it by name."""
    async with open_system(instruments=instruments) as system:
        counter = await system.start(Counter, mailbox=256)
        yield {
            "ask": asking(counter, Add),
            "ask, async": asking(counter, AddSlowly),
            "ask, deferred": asking(counter, AddAndSend),
            "tell": telling(counter),
        }
