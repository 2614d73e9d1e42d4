"""The streams of one shop in Redis or Valkey: how batches are added to them, and read.

Rule: nothing rests on Redis. What it loses is asked for again, so an entry that could not be added
is dropped, and a reader goes on with what is there. Each stream is trimmed as it is added to.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog
import trio
from coredis import Redis
from coredis.exceptions import RedisError
from coredis.response.types import StreamEntry
from coredis.retry import NoRetryPolicy
from coredis.tokens import PureToken

from cafe.bus.codec import seal, unseal

FIELD: Final = b"b"
"""The one field of an entry: its batch."""
BLOCK_MILLISECONDS: Final = 500
TIME_OUT_SECONDS: Final = 2.0
"""For an answer of Redis; more than it may block."""
RETRY_SECONDS: Final = 0.1
"""Between two attempts while Redis is away."""
MOST_ENTRIES: Final = {"asks": 2_000, "answers": 1_000, "log": 5_000}
"""Of each stream. A reader that is further behind has missed some, and asks for them again."""
MOST_READ: Final = 64
"""Entries in one reply."""
AWAY: Final = (RedisError, OSError, TimeoutError)
"""What calls raise while Redis is away."""

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

    def answers(self, front: str) -> str:
        """Return the stream of the answers to a front."""
        return f"{self.prefix}answers:{front}"

    def front(self, front: str) -> str:
        """Return the key that a front renews as long as it lives."""
        return f"{self.prefix}front:{front}"


class Entry(NamedTuple):
    """A batch for a stream."""

    stream: str
    body: bytes
    kind: str
    """Which of MOST_ENTRIES bounds the stream."""


class Bus:
    """Redis as both ends use it: a connection that adds, and one that waits for entries."""

    def __init__(self, adding: Redis[bytes], reading: Redis[bytes], names: Names) -> None:
        """Use two clients, since a connection that waits does nothing else."""
        self.names = names
        self.is_away = False
        """Whether the last call failed."""
        self._adding = adding
        self._reading = reading

    async def add(
        self, entries: Sequence[Entry], *, renew: Mapping[str, int] | None = None
    ) -> bool:
        """Add entries in one round trip; return whether that is certain, else wait a little.

        `renew` sets keys, each for so many milliseconds; of a stream it sets the expiry.
        """
        try:
            async with self._adding.pipeline(transaction=False) as pipeline:
                for stream, body, kind in entries:
                    pipeline.xadd(
                        stream,
                        {FIELD: seal(body)},
                        trim_strategy=PureToken.MAXLEN,
                        trim_operator=PureToken.APPROXIMATELY,
                        threshold=MOST_ENTRIES[kind],
                    )
                for key, milliseconds in (renew or {}).items():
                    if key.startswith(self.names.answers("")):
                        pipeline.pexpire(key, milliseconds)
                    else:
                        pipeline.set(key, b"", px=milliseconds)
        except AWAY as error:
            await self._note_away(error)
            return False
        self._note_here()
        return True

    async def living(self, fronts: Sequence[str]) -> set[str] | None:
        """Return which of these fronts have renewed their key; None while Redis is away."""
        if not fronts:
            return set()
        try:
            found = await self._adding.mget([self.names.front(one) for one in fronts])
        except AWAY as error:
            await self._note_away(error)
            return None
        self._note_here()
        return {front for front, value in zip(fronts, found, strict=True) if value is not None}

    async def delete(self, *keys: str) -> None:
        """Delete keys, unless Redis is away: they expire anyway."""
        try:
            await self._adding.delete(keys)
        except AWAY as error:
            await self._note_away(error)

    async def last_of(self, streams: Sequence[str]) -> dict[str, bytes]:
        """Return the id of the last entry of each stream, waiting for Redis."""
        while True:
            try:
                found = {one: await self._reading.xrevrange(one, count=1) for one in streams}
            except AWAY as error:
                await self._note_away(error)
            else:
                return {one: _id(last[0]) if last else b"0-0" for one, last in found.items()}

    async def read(
        self, after: Mapping[str, bytes]
    ) -> tuple[Sequence[tuple[str, memoryview]], dict[str, bytes]]:
        """Wait for entries behind these ids; return them by stream, and the ids to go on behind.

        Returns none after half a second without any. Raises WrongVersion.
        """
        ids = dict(after)
        try:
            found = await self._reading.xread(ids, count=MOST_READ, block=BLOCK_MILLISECONDS)
        except AWAY as error:
            await self._note_away(error)
            last = await self.last_of(list(ids))
            # One that was emptied may begin with lower ids, if its machine's clock is behind.
            return (), {one: min(ids[one], last[one], key=_number) for one in ids}
        self._note_here()
        entries: list[tuple[str, memoryview]] = []
        for key, some in (found or {}).items():
            stream = key.decode()
            for entry in some:
                entries.append((stream, unseal(_bytes(entry.field_values[FIELD]))))
                ids[stream] = _id(entry)
        return entries, ids

    async def _note_away(self, error: Exception) -> None:
        if not self.is_away:
            log.warning("bus unavailable", detail=str(error))
        self.is_away = True
        await trio.sleep(RETRY_SECONDS)

    def _note_here(self) -> None:
        if self.is_away:
            log.info("bus available")
        self.is_away = False


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _id(entry: StreamEntry) -> bytes:
    return _bytes(entry.identifier)


def _number(identifier: bytes) -> tuple[int, int]:
    milliseconds, _, number = identifier.partition(b"-")
    return int(milliseconds), int(number)


@asynccontextmanager
async def open_bus(url: str, names: Names) -> AsyncGenerator[Bus]:
    """Yield the bus at `url`; Redis may be away, then and later."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(url)) for _ in range(2)]
        yield Bus(clients[0], clients[1], names)


def _client(url: str) -> Redis[bytes]:
    # No retries of its own: what was added perhaps is not added again.
    return Redis.from_url(
        url,
        retry_policy=NoRetryPolicy(),
        verify_version=False,
        stream_timeout=TIME_OUT_SECONDS,
        connect_timeout=TIME_OUT_SECONDS,
    )
