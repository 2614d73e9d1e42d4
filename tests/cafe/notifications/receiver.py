"""A receiver of notifications on a real socket: takes, refuses, redirects, stalls or drips.

Rule: it reads a request whole, then answers as `answer` says for it; it keeps all that it was sent.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio

Respond = Callable[[trio.SocketStream], Awaitable[None]]
MOST_HEAD = 65_536


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        """The body's JSON."""
        content: dict[str, Any] = json.loads(self.body)
        return content


async def respond(
    stream: trio.SocketStream, status: int, *fields: str, body: bytes = b"ok"
) -> None:
    """Send an answer with a status, and further header fields."""
    head = (f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *fields, "", "")
    await stream.send_all("\r\n".join(head).encode() + body)


def answering(status: int, *fields: str, body: bytes = b"ok") -> Respond:
    """Return what answers with a status."""
    return (
        partial(respond, status=status, body=body)
        if not fields
        else partial(_respond_with, status, fields, body)
    )


async def _respond_with(
    status: int, fields: tuple[str, ...], body: bytes, stream: trio.SocketStream
) -> None:
    await respond(stream, status, *fields, body=body)


async def stalling(_stream: trio.SocketStream) -> None:
    """Never answer."""
    await trio.sleep_forever()


async def dripping(stream: trio.SocketStream) -> None:
    """Answer with 200 and a body that comes byte by byte, without end."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        await stream.send_all(b".")
        await trio.sleep(0.05)


async def hanging_up(stream: trio.SocketStream) -> None:
    """Close the connection in place of an answer."""
    await stream.aclose()


async def talking_nonsense(stream: trio.SocketStream) -> None:
    """Send what is not HTTP."""
    await stream.send_all(b"\x00\xff nonsense\r\n\r\n")
    await stream.aclose()


@dataclass
class SocketReceiver:
    """A receiver that listens."""

    url: str
    calls: list[Call] = field(default_factory=list[Call])
    answer: Callable[[Call], Respond] = lambda _call: answering(204, body=b"")

    def statuses(self, order_id: str) -> list[str]:
        """Return the statuses that an order was said to have, without repetitions in a row."""
        found = [c.content["status"] for c in self.calls if c.content["order_id"] == order_id]
        return [one for number, one in enumerate(found) if found[:number][-1:] != [one]]

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answer the requests of one connection."""
        try:
            async with stream:
                while (call := await _read_call(stream)) is not None:
                    self.calls.append(call)
                    await self.answer(call)(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the caller has had enough


async def _read_call(stream: trio.SocketStream) -> Call | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = await stream.receive_some()
        if not piece or len(data) > MOST_HEAD:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += await stream.receive_some()
    return Call(first.split()[1], headers, body)


@asynccontextmanager
async def open_receiver(port: int = 0) -> AsyncGenerator[SocketReceiver]:
    """Listen on loopback during the block; port 0 is any that is free."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        receiver = SocketReceiver(f"http://127.0.0.1:{port}/hook?token=t0ken-of-the-hook")
        nursery.start_soon(partial(trio.serve_listeners, receiver.serve, [listener]))
        yield receiver
        nursery.cancel_scope.cancel()
