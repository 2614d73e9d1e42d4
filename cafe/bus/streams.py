"""The streams of one shop in Redis or Valkey: how batches are added to them, and read.

Rule: nothing rests on Redis. What it loses is asked for again, so an entry that could not be added
is dropped, and a reader goes on with what is there. Each stream is trimmed as it is added to.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, cast

import structlog
import trio

from cafe.bus.codec import WrongVersion, seal, unseal
from cafe.redis import AWAY, RETRY_SECONDS, Command, Reconnecting, describe

FIELD: Final = b"b"
"""The one field of an entry: its batch."""
BLOCK_MILLISECONDS: Final = 1_000
HOUSE_MILLISECONDS: Final = 5_000
LIVES_SECONDS: Final = 5.0
"""How long a front counts as alive after it has renewed its key."""
STREAM_SECONDS: Final = 60.0
"""How long its stream of answers is kept after that."""
SLICES: Final = 40
"""For an answer of Redis: two seconds, and more than it may block."""
MOST_ENTRIES: Final = {"asks": 2_000, "answers": 1_000, "log": 5_000}
"""Of each stream. A reader that is further behind has missed some, and asks for them again."""
MOST_READ: Final = 64
"""Entries in one reply."""


class Calls(Protocol):
    """A connection to Redis."""

    async def call(self, *commands: Command, slices: int) -> list[Any]:
        """Send commands together and return their answers; raises one of AWAY."""
        ...


log: structlog.stdlib.BoundLogger = structlog.get_logger("bus")


@dataclass(frozen=True, slots=True)
class Names:
    """The keys of one shop."""

    shop: str | None = None

    @property
    def prefix(self) -> str:
        """What all its keys begin with."""
        return f"cafe:{self.shop or 'cafe'}:"

    @property
    def asks(self) -> str:
        """The stream of what fronts ask."""
        return f"{self.prefix}asks"

    @property
    def log(self) -> str:
        """The stream of what the house has committed."""
        return f"{self.prefix}log"

    @property
    def house(self) -> str:
        """The key that a house writes to learn whether fronts can write theirs."""
        return f"{self.prefix}house"

    def answers(self, front: str) -> str:
        """Return the stream of the answers to a front."""
        return f"{self.prefix}answers:{front}"

    def front(self, front: str) -> str:
        """Return the key that a front renews as long as it lives."""
        return f"{self.prefix}front:{front}"


class StreamEntry(NamedTuple):
    """A batch for a stream."""

    stream: str
    body: bytes
    kind: str
    """Which of MOST_ENTRIES bounds the stream."""


class Bus:
    """Redis as both ends use it: a connection that adds, and one that waits for entries."""

    def __init__(self, adding: Calls, reading: Calls, names: Names) -> None:
        """Use two connections, since one that waits does nothing else."""
        self.names = names
        self.is_away = False
        """Whether the last call failed, of either connection."""
        self._adding = adding
        self._reading = reading
        self._failed = set[Calls]()

    async def add(self, entries: Sequence[StreamEntry], *, renew: str | None = None) -> bool:
        """Add entries in one round trip; return whether that is certain, else wait a little.

        `renew` names a front that lives, and whose stream is to be kept.
        """
        commands: list[Command] = [
            ("XADD", stream, "MAXLEN", "~", MOST_ENTRIES[kind], "*", FIELD, seal(body))
            for stream, body, kind in entries
        ]
        if renew is not None:
            commands += [
                ("SET", self.names.front(renew), b"", "PX", round(LIVES_SECONDS * 1000)),
                ("PEXPIRE", self.names.answers(renew), round(STREAM_SECONDS * 1000)),
            ]
        return not commands or await self._call(*commands) is not None

    async def living(self, fronts: Sequence[str]) -> set[str] | None:
        """Return which of these fronts have renewed their key; None while none can do so."""
        if not fronts:
            return set()
        # One that is full, or a replica, answers what reads and refuses what writes.
        writing: Command = ("SET", self.names.house, b"", "PX", HOUSE_MILLISECONDS)
        found = await self._call(writing, ("MGET", *map(self.names.front, fronts)))
        if found is None:
            return None
        return {front for front, value in zip(fronts, found[1], strict=True) if value is not None}

    async def delete(self, *keys: str) -> None:
        """Delete keys, unless Redis is away: they expire anyway."""
        await self._call(("DEL", *keys))

    async def last_of(self, streams: Sequence[str]) -> dict[str, bytes]:
        """Return the id of the last entry of each stream, waiting for Redis."""
        commands = [("XREVRANGE", one, "+", "-", "COUNT", 1) for one in streams]
        while True:
            try:
                found = await self._reading.call(*commands, slices=SLICES)
            except AWAY as error:
                await self._note_away(self._reading, error)
            else:
                last = zip(streams, found, strict=True)
                return {one: some[0][0] if some else b"0-0" for one, some in last}

    async def read(
        self, after: Mapping[str, bytes]
    ) -> tuple[Sequence[tuple[str, memoryview]], dict[str, bytes]]:
        """Wait for entries behind these ids; return them by stream, and the ids to go on behind.

        Returns none after a second without any. Raises WrongVersion for what a house has sent;
        a house skips what a front of another release asks, for as long as that runs.
        """
        ids = dict(after)
        command: list[str | bytes | int] = [
            "XREAD",
            "COUNT",
            MOST_READ,
            "BLOCK",
            BLOCK_MILLISECONDS,
        ]
        command += ["STREAMS", *ids, *ids.values()]
        try:
            (found,) = await self._reading.call(command, slices=SLICES)
        except AWAY as error:
            await self._note_away(self._reading, error)
            last = await self.last_of(list(ids))
            # One that was emptied may begin with lower ids, if its machine's clock is behind.
            return (), {one: min(ids[one], last[one], key=_number) for one in ids}
        self._note_here(self._reading)
        entries: list[tuple[str, memoryview]] = []
        for key, some in by_stream(found):
            stream = key.decode()
            for identifier, fields in some:
                ids[stream] = identifier
                try:
                    entries.append((stream, unseal(fields[1])))
                except WrongVersion as wrong:
                    if stream != self.names.asks:
                        raise
                    log.warning("ask of another release", detail=str(wrong))
        return entries, ids

    async def _call(self, *commands: Command) -> list[Any] | None:
        try:
            answers = await self._adding.call(*commands, slices=SLICES)
        except AWAY as error:
            await self._note_away(self._adding, error)
            return None
        self._note_here(self._adding)
        return answers

    async def _note_away(self, calls: Calls, error: Exception) -> None:
        self._failed.add(calls)
        if not self.is_away:
            log.warning("bus unavailable", detail=describe(error))
        self.is_away = True
        await trio.sleep(RETRY_SECONDS)

    def _note_here(self, calls: Calls) -> None:
        self._failed.discard(calls)
        if self.is_away and not self._failed:
            log.info("bus available")
            self.is_away = False


def by_stream(found: Any) -> Iterable[tuple[bytes, Any]]:
    """Return what XREAD has answered, in either version of the protocol, by stream."""
    if isinstance(found, dict):
        return cast("dict[bytes, Any]", found).items()  # isinstance cannot tell of what
    return found or ()


def _number(identifier: bytes) -> tuple[int, int]:
    milliseconds, _, number = identifier.partition(b"-")
    return int(milliseconds), int(number)


@asynccontextmanager
async def open_bus(url: str, names: Names) -> AsyncGenerator[Bus]:
    """Yield the bus at `url`; Redis may be away, then and later."""
    adding, reading = Reconnecting(url), Reconnecting(url)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(adding.run)
        nursery.start_soon(reading.run)
        yield Bus(adding, reading, names)
        nursery.cancel_scope.cancel()
