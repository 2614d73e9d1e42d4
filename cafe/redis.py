"""One connection to Redis or Valkey and calls over it, for the limits and the bus.

Rule: a connection is used until its first failure, and is then closed with its pool. The retries,
shared pool and time-outs of coredis are not used: its client retries a command that may have been
executed, and each cancelled attempt to connect leaks a place in its pool. So each connection has
a pool of its own. Calling through the connection, not the client, also costs a third less.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from logging import CRITICAL, getLogger
from ssl import SSLContext, create_default_context
from typing import Any, Final
from urllib.parse import urlsplit

import trio
from coredis.connection import TCPConnection, UnixDomainSocketConnection
from coredis.exceptions import RedisError
from coredis.pool import ConnectionPool

from actors.errors import copy_error

CONNECT_SECONDS: Final = 0.25
SLICE_SECONDS: Final = 0.05
"""The unit of a call's time-out. A stall of this process costs one slice, not the whole time-out,
so it is not mistaken for a server that does not answer."""
RETRY_SECONDS: Final = 0.1
"""The time between attempts to connect, for `Reconnecting`."""

AWAY: Final = (RedisError, OSError, trio.TooSlowError)
"""The errors of a call if Redis is away, loading, full, a replica, or not Redis at all."""

Pool = ConnectionPool[TCPConnection] | ConnectionPool[UnixDomainSocketConnection]
Command = Sequence[str | bytes | int]
"""A name in capitals, and its arguments."""

# coredis logs a traceback for each failed attempt to connect; its users log an outage once.
getLogger("coredis").setLevel(CRITICAL)


@cache
def tls() -> SSLContext:
    """Return the context that verifies servers' certificates; cached, since it takes 25 ms."""
    return create_default_context()


@asynccontextmanager
async def open_pool(url: str) -> AsyncGenerator[Pool]:
    """Yield a pool for one connection. Catch errors inside the block: outside they are wrapped.

    User and password are percent-encoded in the URL. Over TLS the server's certificate must be for
    the URL's host, and from an authority that the machine or SSL_CERT_FILE names.
    """
    has_tls = urlsplit(url).scheme == "rediss"
    pool = ConnectionPool.from_url(
        url,
        decode_components=True,
        max_connections=1,
        connect_timeout=CONNECT_SECONDS,
        decode_responses=False,
        # The default context of coredis accepts a certificate for any host.
        ssl_context=tls() if has_tls else None,
    )
    async with pool:
        yield pool


class Connection:
    """An open connection."""

    def __init__(self, connection: TCPConnection | UnixDomainSocketConnection) -> None:
        self._connection = connection

    async def call(self, *commands: Command, slices: int) -> list[Any]:
        """Send commands together and return their answers; raises one of AWAY.

        The time-out of all together is `slices` times SLICE_SECONDS.
        """
        requests = [
            self._connection.create_request(str(name).encode(), *arguments)
            for name, *arguments in commands
        ]
        answers: list[Any] = []
        for _ in range(slices):
            with trio.move_on_after(SLICE_SECONDS):
                while len(answers) < len(requests):
                    answers.append(await requests[len(answers)])
                return answers
        raise trio.TooSlowError


async def connect(pool: Pool) -> Connection:
    """Connect; raises one of AWAY within CONNECT_SECONDS."""
    with trio.fail_after(CONNECT_SECONDS):
        # coredis never closes the channels of a connection that failed to open.
        if pool.location is None or not await pool.location.check():
            raise ConnectionRefusedError("there is no server")
        return Connection(await pool.get_connection())


def describe(failure: BaseException) -> str:
    """Return the type of a failure, and its text if there is one."""
    kind, text = type(failure).__name__, str(failure)
    return f"{kind}: {text}" if text else kind


class Reconnecting:
    """A connection that reconnects after each failure, as long as `run` runs."""

    def __init__(self, url: str) -> None:
        """Connect to the server at `url`."""
        self._url = url
        self._connection: Connection | None = None
        self._failure: Exception = ConnectionRefusedError("there is no connection yet")
        self._given_up = trio.Event()
        self._tried = trio.Event()

    async def run(self) -> None:
        """Connect, and reconnect after each failure; never returns."""
        while True:
            async with open_pool(self._url) as pool:
                try:
                    self._connection = await connect(pool)
                except AWAY as failure:
                    self._failure = failure
                self._tried.set()
                if self._connection is not None:
                    await self._given_up.wait()
                    self._given_up = trio.Event()
            await trio.sleep(RETRY_SECONDS)

    async def call(self, *commands: Command, slices: int) -> list[Any]:
        """Send commands together and return their answers; raises one of AWAY.

        Raises at once while there is no connection. After an error the commands may have been
        executed.
        """
        await self._tried.wait()
        connection = self._connection
        if connection is None:
            await trio.lowlevel.checkpoint()
            raise copy_error(self._failure)
        try:
            return await connection.call(*commands, slices=slices)
        except AWAY as failure:
            self._failure = failure
            if self._connection is connection:
                self._connection = None
                self._given_up.set()
            raise
