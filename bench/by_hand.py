"""The peer of the toolkit: the same exchanges by hand.

By hand means the least code that gets an answer from a task: a memory channel, and with each
message a slot and a `trio.Event`. No failure is handled: no crash, no stop, no cancelled caller.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from bench.counter import Add, Work

ROOM = 256
BATCH = 64


@dataclass(slots=True, eq=False)
class Question:
    """A message with a slot for the answer: one object, where the toolkit has two."""

    by: int = 1
    answered: trio.Event = field(default_factory=trio.Event)
    total: int = 0


Questions = trio.MemoryReceiveChannel[Question]


async def answer(questions: Questions) -> None:
    """Answer questions, in the obvious way."""
    total = 0
    async for question in questions:
        total += question.by
        question.total = total
        question.answered.set()


async def answer_slowly(questions: Questions) -> None:
    """Answer questions, each after a checkpoint."""
    total = 0
    async for question in questions:
        await trio.lowlevel.checkpoint()
        total += question.by
        question.total = total
        question.answered.set()


async def answer_drained(questions: Questions) -> None:
    """Answer questions, those that wait without a checkpoint between them, as the toolkit does."""
    total = 0
    async for first in questions:
        question: Question | None = first
        budget = BATCH
        while question is not None:
            total += question.by
            question.total = total
            question.answered.set()
            budget -= 1
            try:
                question = questions.receive_nowait() if budget else None
            except trio.WouldBlock:
                question = None


async def add_up(messages: trio.MemoryReceiveChannel[Add]) -> None:
    """Take messages that expect no answer."""
    total = 0
    async for message in messages:
        total += message.by


def asking(questions: trio.MemorySendChannel[Question]) -> Work:
    """Return a function that asks a given number of times in a row."""

    async def ask(times: int) -> None:
        for _ in range(times):
            question = Question()
            await questions.send(question)
            await question.answered.wait()
            _ = question.total

    return ask


def telling(messages: trio.MemorySendChannel[Add]) -> Work:
    """Return a function that tells a given number of times, and waits until all are taken."""

    async def tell(times: int) -> None:
        for _ in range(times):
            await messages.send(Add())
        while messages.statistics().current_buffer_used:
            await trio.lowlevel.checkpoint()

    return tell


@asynccontextmanager
async def counting_by_hand() -> AsyncGenerator[dict[str, Work]]:
    """Run the tasks that answer; yield the exchanges with them by name."""
    answerers = {"ask": answer, "ask, async": answer_slowly, "ask, drained": answer_drained}
    work: dict[str, Work] = {}
    async with trio.open_nursery() as nursery:
        for name, answerer in answerers.items():
            send, questions = trio.open_memory_channel[Question](ROOM)
            nursery.start_soon(answerer, questions)
            work[name] = asking(send)
        tell, messages = trio.open_memory_channel[Add](ROOM)
        nursery.start_soon(add_up, messages)
        yield {**work, "tell": telling(tell)}
        nursery.cancel_scope.cancel()
