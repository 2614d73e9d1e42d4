"""Asks per second: the toolkit against the same exchange by hand.

By hand is the least that asks a task for an answer: a memory channel, and with each message a slot
and a `trio.Event`. Both answer in a process of their own, in slices that take turns.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import trio

from actors import Actor, Message, open_system
from bench.processes import program
from bench.report import Row, Scale, progress

SLICE = 0.4
CALLERS = (1, 100)

Ask = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Add(Message["Counter", int]):
    """Count one more."""

    by: int = 1


class Counter(Actor):
    """An actor that does next to nothing."""

    def __init__(self) -> None:
        self.total = 0

    @Add.handler
    def add(self, message: Add) -> int:
        """Answer with the total."""
        self.total += message.by
        return self.total


@dataclass(slots=True, eq=False)
class Note:
    """What the exchange by hand sends: a message with a place for the answer."""

    by: int = 1
    answered: trio.Event = field(default_factory=trio.Event)
    total: int = 0


async def count(notes: trio.MemoryReceiveChannel[Note]) -> None:
    """Answer notes by hand."""
    total = 0
    async for note in notes:
        total += note.by
        note.total = total
        note.answered.set()


async def rate(ask: Ask, callers: int) -> float:
    """Give the asks per second of so many callers at once."""
    asked = 0
    begin = perf_counter()

    async def caller() -> None:
        nonlocal asked
        while perf_counter() - begin < SLICE:
            await ask()
            asked += 1

    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(caller)
    return asked / (perf_counter() - begin)


async def compare(rounds: int) -> dict[str, list[float]]:
    """Measure both, with one caller and with many, round after round."""
    send, receive = trio.open_memory_channel[Note](256)

    async def by_hand() -> int:
        note = Note()
        await send.send(note)
        await note.answered.wait()
        return note.total

    rates: dict[str, list[float]] = {}
    async with trio.open_nursery() as nursery, open_system() as system:
        nursery.start_soon(count, receive)
        counter = await system.start(Counter, mailbox=256)

        async def by_actor() -> int:
            return await counter.ask(Add())

        for _ in range(rounds):
            for callers in CALLERS:
                for name, ask in (("actor", by_actor), ("hand", by_hand)):
                    rates.setdefault(f"{name} {callers}", []).append(await rate(ask, callers))
        nursery.cancel_scope.cancel()
    return rates


def measure(scale: Scale) -> list[Row]:
    """Run the comparison in a process of its own."""
    with program("bench.asks", str(3 * scale.rounds), most_seconds=60) as started:
        rates: dict[str, list[float]] = json.loads(started.read())
    rows: list[Row] = []
    for callers in CALLERS:
        ours, peers = median(rates[f"actor {callers}"]), median(rates[f"hand {callers}"])
        progress(f"asks: {ours:,.0f}/s of {peers:,.0f}/s with {callers} callers")
        rows.append(
            Row(
                f"asks, {callers} caller{'s' if callers > 1 else ''}",
                f"{ours:,.0f}/s",
                f"{peers:,.0f}/s",
                "memory channel and trio.Event",
                ours / peers,
            )
        )
    return rows


if __name__ == "__main__":
    import sys

    print(json.dumps(trio.run(compare, int(sys.argv[1]))))
