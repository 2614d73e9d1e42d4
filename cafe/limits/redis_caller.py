"""One connection to Redis, over which the script of the limits is called.

Rule: a connection is used until the first failure, and then given up with all that belongs to it.
coredis' own retries, its pool and its time-outs are not used: its client retries a command that may
have been carried out, and each attempt to connect that is cancelled takes a place in its pool for
good. So each connection has a pool of its own, which ends with it. To call through the connection
and not through the client also costs a third less.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from logging import CRITICAL, getLogger
from typing import Final

import msgspec
import trio
from coredis.connection import TCPConnection, UnixDomainSocketConnection
from coredis.exceptions import NoScriptError, RedisError
from coredis.pool import ConnectionPool

from cafe.limits.script import SHA, SOURCE

CONNECT_SECONDS: Final = 0.25
SLICE_SECONDS: Final = 0.05
"""A call's time-out is so many of these, so that a process that stalls itself, which costs one of
them, does not take that for a server that does not answer."""

FAILURES: Final = (RedisError, OSError, trio.TooSlowError, msgspec.MsgspecError, TypeError)
"""What a call raises if Redis is away, is loading, is full, is a replica, or is no Redis."""

Pool = ConnectionPool[TCPConnection] | ConnectionPool[UnixDomainSocketConnection]
Caller = Callable[[str, bytes, int], Awaitable[object]]
"""Calls the script with a prefix and its packed argument, and waits so many slices of time."""

# It logs a traceback for each attempt to connect; the limits say once that Redis is away.
getLogger("coredis").setLevel(CRITICAL)


@asynccontextmanager
async def open_pool(url: str) -> AsyncGenerator[Pool]:
    """Open a pool for one connection. Failures must not leave the block: they would be wrapped."""
    pool = ConnectionPool.from_url(
        url, max_connections=1, connect_timeout=CONNECT_SECONDS, decode_responses=False
    )
    async with pool:
        yield pool


async def connect(pool: Pool) -> Caller:
    """Return what calls the script; raises one of FAILURES within CONNECT_SECONDS."""
    with trio.fail_after(CONNECT_SECONDS):
        # coredis never closes the channels of a connection that could not be made.
        if pool.location is None or not await pool.location.check():
            raise ConnectionRefusedError("there is no server")
        connection = await pool.get_connection()

    async def answer_of(slices: int, *command: str | bytes | int) -> object:
        name, *arguments = command
        request = connection.create_request(str(name).encode(), *arguments)
        for _ in range(slices):
            with trio.move_on_after(SLICE_SECONDS):
                return await request
        raise trio.TooSlowError

    async def call(prefix: str, argument: bytes, slices: int) -> object:
        try:
            return await answer_of(slices, "EVALSHA", SHA, 0, prefix, argument)
        except NoScriptError:  # the server was restarted, or its scripts were flushed
            return await answer_of(slices, "EVAL", SOURCE, 0, prefix, argument)

    return call
