"""The peer of the toolkit: the same exchanges by hand.

By hand is the least that asks a task for an answer: a memory channel, and with each message a slot
and a `trio.Event`. Nothing is handled that may go wrong: no crash, no stop, nobody who hangs up.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from bench.counter import Add, Work

ROOM = 256
IN_ONE_GO = 64


@dataclass(slots=True, eq=False)
class Note:
    """A message with a place for the answer: one object, where the toolkit has two."""

    by: int = 1
    answered: trio.Event = field(default_factory=trio.Event)
    total: int = 0


Notes = trio.MemoryReceiveChannel[Note]


async def answer(notes: Notes) -> None:
    """Answer notes, as one would write it."""
    total = 0
    async for note in notes:
        total += note.by
        note.total = total
        note.answered.set()


async def answer_slowly(notes: Notes) -> None:
    """Answer notes, each after others had their turn."""
    total = 0
    async for note in notes:
        await trio.lowlevel.checkpoint()
        total += note.by
        note.total = total
        note.answered.set()


async def answer_drained(notes: Notes) -> None:
    """Answer notes, taking those that are there in one go, as the toolkit does."""
    total = 0
    async for first in notes:
        note: Note | None = first
        budget = IN_ONE_GO
        while note is not None:
            total += note.by
            note.total = total
            note.answered.set()
            budget -= 1
            try:
                note = notes.receive_nowait() if budget else None
            except trio.WouldBlock:
                note = None


async def add_up(messages: trio.MemoryReceiveChannel[Add]) -> None:
    """Take what is told."""
    total = 0
    async for message in messages:
        total += message.by


def asking(notes: trio.MemorySendChannel[Note]) -> Work:
    """Ask, one time after the other."""

    async def ask(times: int) -> None:
        for _ in range(times):
            note = Note()
            await notes.send(note)
            await note.answered.wait()
            _ = note.total

    return ask


def telling(messages: trio.MemorySendChannel[Add]) -> Work:
    """Tell, one time after the other, until all is taken."""

    async def tell(times: int) -> None:
        for _ in range(times):
            await messages.send(Add())
        while messages.statistics().current_buffer_used:
            await trio.lowlevel.checkpoint()

    return tell


@asynccontextmanager
async def counting_by_hand() -> AsyncGenerator[dict[str, Work]]:
    """Run the tasks that answer; give what can be done with them."""
    answerers = {"ask": answer, "ask, async": answer_slowly, "ask, drained": answer_drained}
    work: dict[str, Work] = {}
    async with trio.open_nursery() as nursery:
        for name, answerer in answerers.items():
            send, notes = trio.open_memory_channel[Note](ROOM)
            nursery.start_soon(answerer, notes)
            work[name] = asking(send)
        tell, messages = trio.open_memory_channel[Add](ROOM)
        nursery.start_soon(add_up, messages)
        yield {**work, "tell": telling(tell)}
        nursery.cancel_scope.cancel()
