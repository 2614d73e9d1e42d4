"""The streams of one shop in Redis or Valkey: how batches are added and read.

Rule: nothing depends on Redis keeping data. Lost batches are asked for again, so an entry that
could not be added is dropped, and a reader goes on with the entries there are. Each XADD trims its
stream, and what was read is removed: large entries fill a Redis long before there are many of them,
and a full Redis refuses XADD, and with it the trimming.
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
"""The only field of an entry: the batch."""
BLOCK_MILLISECONDS: Final = 1_000
HOUSE_MILLISECONDS: Final = 5_000
LIVES_SECONDS: Final = 5.0
"""The lifetime of a front's key after each renewal."""
STREAM_SECONDS: Final = 60.0
"""The lifetime of a front's stream of answers after each renewal."""
SLICES: Final = 40
"""The time-out of a call, two seconds: longer than a read blocks."""
MOST_ENTRIES: Final = {"asks": 2_000, "answers": 1_000, "log": 5_000}
"""The length of each stream. A reader that is further behind has missed entries, and asks again."""
LOG_SECONDS: Final = 30.0
"""How long the log is kept; it has many readers."""
MOST_READ: Final = 64
"""The most entries that one read returns from a stream."""


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
        """The prefix of all keys of the shop."""
        return f"cafe:{self.shop or 'cafe'}:"

    @property
    def asks(self) -> str:
        """The stream of asks of all fronts."""
        return f"{self.prefix}asks"

    @property
    def log(self) -> str:
        """The stream of the house's heartbeats and committed events."""
        return f"{self.prefix}log"

    @property
    def house(self) -> str:
        """The key that a house writes to test whether fronts can write theirs."""
        return f"{self.prefix}house"

    def answers(self, front: str) -> str:
        """Return the stream of answers to a front."""
        return f"{self.prefix}answers:{front}"

    def front(self, front: str) -> str:
        """Return the key that a front renews as long as it runs."""
        return f"{self.prefix}front:{front}"


class StreamEntry(NamedTuple):
    """A batch for a stream."""

    stream: str
    body: bytes
    kind: str
    """The key of the stream's bound in MOST_ENTRIES."""


class Bus:
    """The streams as both ends use them: one connection adds, another waits for entries."""

    def __init__(self, adding: Calls, reading: Calls, names: Names) -> None:
        """Use two connections, since a blocking read occupies its own."""
        self.names = names
        self.is_away = False
        """Whether the last call of either connection failed."""
        self._adding = adding
        self._reading = reading
        self._failed = set[Calls]()
        self._read = dict[str, bytes]()
        """The id of the last entry read from each stream."""

    async def add(self, entries: Sequence[StreamEntry], *, renew: str | None = None) -> bool:
        """Add entries in one round trip; return whether Redis confirmed, after a pause if not.

        `renew` names a front whose key and stream of answers are renewed with it.
        """
        commands: list[Command] = []
        if renew is not None:
            # First: a full Redis refuses the others.
            commands += self._trim_read(self.names.answers(renew))
        commands += [
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
        """Return the fronts among these whose key exists; None while no key can be renewed."""
        if not fronts:
            return set()
        trims = (*self._trim_read(self.names.asks), *self._trim_log())
        # A Redis that is full, or a replica, still answers reads but refuses writes.
        writing: Command = ("SET", self.names.house, b"", "PX", HOUSE_MILLISECONDS)
        found = await self._call(*trims, writing, ("MGET", *map(self.names.front, fronts)))
        if found is None:
            return None
        return {front for front, value in zip(fronts, found[-1], strict=True) if value is not None}

    async def delete(self, *keys: str) -> None:
        """Delete keys, unless Redis is away: then they expire."""
        await self._call(("DEL", *keys))

    async def last_of(self, streams: Sequence[str]) -> dict[str, bytes]:
        """Return the id of the last entry of each stream; retries until Redis answers."""
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
        """Wait for entries after these ids; return each with its stream, and the ids to go on from.

        Returns no entries after a second without any. Raises WrongVersion for an entry of a house
        of another release; asks of a front of another release are skipped with a warning.
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
            # An emptied Redis may begin with lower ids, if its machine's clock is behind.
            self._read = {one: min(ids[one], last[one], key=_number) for one in ids}
            return (), dict(self._read)
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
        self._read = dict(ids)
        return entries, ids

    def _trim_read(self, stream: str) -> Sequence[Command]:
        """Return the XTRIM of a stream that has no other reader: all before the last entry read.

        The last one stays, for `last_of`.
        """
        identifier = self._read.get(stream)
        return () if identifier is None else (("XTRIM", stream, "MINID", "~", identifier),)

    def _trim_log(self) -> Sequence[Command]:
        """Return the XTRIM of the log to LOG_SECONDS, by the clock of Redis, as asks show it."""
        milliseconds, _ = _number(self._read.get(self.names.asks, b"0-0"))
        least = max(0, milliseconds - round(LOG_SECONDS * 1000))
        return (("XTRIM", self.names.log, "MINID", "~", least),)

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
    """Return an answer to XREAD, of either version of the protocol, as pairs by stream."""
    if isinstance(found, dict):
        return cast("dict[bytes, Any]", found).items()  # isinstance does not narrow the items
    return found or ()


def _number(identifier: bytes) -> tuple[int, int]:
    milliseconds, _, number = identifier.partition(b"-")
    return int(milliseconds), int(number)


@asynccontextmanager
async def open_bus(url: str, names: Names) -> AsyncGenerator[Bus]:
    """Yield the bus at `url`; Redis may be away, at the start and later."""
    adding, reading = Reconnecting(url), Reconnecting(url)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(adding.run)
        nursery.start_soon(reading.run)
        yield Bus(adding, reading, names)
        nursery.cancel_scope.cancel()
