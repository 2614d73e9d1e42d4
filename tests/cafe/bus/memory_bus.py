"""A bus in memory, in virtual time, that loses, repeats and delays entries on request.

Rule: it is used as the bus over Redis is. All readers of a stream read what any end has added, in
one sequence; a delayed entry is overtaken by others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import trio

from cafe.bus.codec import seal, unseal
from cafe.bus.streams import BLOCK_MILLISECONDS, LIVES_SECONDS, MOST_READ, Bus, Names, StreamEntry
from cafe.redis import RETRY_SECONDS


@dataclass(frozen=True)
class Faults:
    """How often each fault happens to an entry, as shares of one."""

    lost: float = 0.0
    repeated: float = 0.0
    delayed: float = 0.0
    longest: float = 0.3
    """The longest delay, in seconds."""


@dataclass
class Memory:
    """The data that Redis would store."""

    random: Random
    faults: Faults = field(default_factory=Faults)
    is_gone: bool = False
    streams: dict[str, list[tuple[int, bytes]]] = field(
        default_factory=dict[str, list[tuple[int, bytes]]]
    )
    expiry: dict[str, float] = field(default_factory=dict[str, float])
    news: trio.Event = field(default_factory=trio.Event)
    entries: int = 0
    cut_off: set[str] = field(default_factory=set[str])
    """Streams to which nothing can be added."""

    def add(self, stream: str, body: bytes) -> None:
        if stream in self.cut_off:
            return
        self.entries += 1
        self.streams.setdefault(stream, []).append((self.entries, body))
        self.news.set()
        self.news = trio.Event()

    def forget(self) -> None:
        """Lose everything, as a Redis that is restarted empty does."""
        self.streams.clear()
        self.expiry.clear()


class MemoryBus(Bus):
    """One end of the bus."""

    def __init__(self, memory: Memory, nursery: trio.Nursery) -> None:
        # Bus's constructor needs connections to Redis; every method that uses one is overridden.
        self.names = Names()
        self.is_away = False
        self.memory = memory
        self.is_cut = False
        """Whether only this end is cut off from the memory."""
        self._nursery = nursery

    async def add(self, entries: Sequence[StreamEntry], *, renew: str | None = None) -> bool:
        if await self._is_gone():
            return False
        await trio.lowlevel.checkpoint()
        memory, random, faults = self.memory, self.memory.random, self.memory.faults
        for stream, body, _ in entries:
            copies = 0 if random.random() < faults.lost else 1
            copies += random.random() < faults.repeated
            for _ in range(copies):
                if random.random() < faults.delayed:
                    seconds = random.uniform(0.0, faults.longest)
                    self._nursery.start_soon(self._add_late, stream, body, seconds)
                else:
                    memory.add(stream, seal(body))
        if renew is not None:
            memory.expiry[self.names.front(renew)] = trio.current_time() + LIVES_SECONDS
        return True

    async def _add_late(self, stream: str, body: bytes, seconds: float) -> None:
        await trio.sleep(seconds)
        self.memory.add(stream, seal(body))

    async def living(self, fronts: Sequence[str]) -> set[str] | None:
        if await self._is_gone():
            return None
        await trio.lowlevel.checkpoint()
        now, expiry = trio.current_time(), self.memory.expiry
        return {one for one in fronts if expiry.get(self.names.front(one), 0.0) > now}

    async def delete(self, *keys: str) -> None:
        await trio.lowlevel.checkpoint()
        for key in keys:
            self.memory.expiry.pop(key, None)
            self.memory.streams.pop(key, None)

    async def last_of(self, streams: Sequence[str]) -> dict[str, bytes]:
        while await self._is_gone():
            pass
        await trio.lowlevel.checkpoint()
        found = self.memory.streams
        return {one: b"%d-0" % (found[one][-1][0] if found.get(one) else 0) for one in streams}

    async def read(
        self, after: Mapping[str, bytes]
    ) -> tuple[Sequence[tuple[str, memoryview]], dict[str, bytes]]:
        ids = dict(after)
        if await self._is_gone():
            last = await self.last_of(list(ids))
            return (), {one: min(ids[one], last[one], key=_number) for one in ids}
        entries: list[tuple[str, memoryview]] = []
        with trio.move_on_after(BLOCK_MILLISECONDS / 1000):
            while True:
                for stream, identifier in after.items():
                    behind = _number(identifier)
                    new = [one for one in self.memory.streams.get(stream, ()) if one[0] > behind]
                    for number, body in new[:MOST_READ]:
                        entries.append((stream, unseal(body)))
                        ids[stream] = b"%d-0" % number
                if entries:
                    break
                await self.memory.news.wait()
        await trio.lowlevel.checkpoint()
        return entries, ids

    async def _is_gone(self) -> bool:
        self.is_away = self.memory.is_gone or self.is_cut
        if self.is_away:
            await trio.sleep(RETRY_SECONDS)
        return self.is_away


def _number(identifier: bytes) -> int:
    return int(identifier.partition(b"-")[0])
