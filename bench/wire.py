"""The cheapest HTTP/1.1 client that still checks: one keep-alive connection, one request at a time.

Rule: it costs the same for every server measured, and little, so that the server is what is
measured. It reads answers with a Content-Length or without a body, as all of these routes have.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple, cast

HOST = "127.0.0.1"


class Answer(NamedTuple):
    """One response: its status and its body."""

    status: int
    body: bytes


class Exchange(asyncio.Protocol):
    """One connection: collects what is received until the answer is complete."""

    _transport: asyncio.Transport  # there before the connection is: `connection_made` comes first

    def __init__(self) -> None:
        self.is_open = False
        self._received = b""
        self._answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; asyncio calls this."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the pending answer, if any; asyncio calls this."""
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            lost = ConnectionError("the connection was closed instead of an answer")
            lost.__cause__ = exc
            self._answer.set_exception(lost)

    def data_received(self, data: bytes) -> None:
        """Set the answer once it is complete; asyncio calls this."""
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or self._answer is None or self._answer.done():
            return
        head = head.lower()
        _, has_length, length = head.partition(b"\r\ncontent-length:")
        if has_length and len(body) < int(length.split(b"\r\n", 1)[0]):
            return
        self._received = b""
        if b"\r\nconnection: close" in head:
            self.close()
        self._answer.set_result(Answer(int(head[9:12]), body))

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; the future is its answer, or a ConnectionError."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Close the connection."""
        self.is_open = False
        self._transport.close()


class Client:
    """A client of a port of this machine; reconnects after the server has closed its connection."""

    def __init__(self, port: int, source: str = HOST) -> None:
        self._port, self._source = port, source
        self._exchange: Exchange | None = None

    async def ask(self, request: bytes) -> Answer:
        """Send one request and wait for its answer, as long as it takes.

        Raises OSError if nothing listens or the connection ends before the answer.
        """
        if self._exchange is None or not self._exchange.is_open:
            _, self._exchange = await asyncio.get_running_loop().create_connection(
                Exchange, HOST, self._port, local_addr=(self._source, 0)
            )
        return await self._exchange.send(request)

    def close(self) -> None:
        """Close the connection."""
        if self._exchange is not None:
            self._exchange.close()


def request(method: str, path: str, body: bytes = b"", fields: str = "") -> bytes:
    """Return one request; `fields` are further header lines, each ended by CRLF."""
    kind = "Content-Type: application/json\r\n" if body else ""
    length = f"Content-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{kind}{fields}{length}\r\n".encode() + body
