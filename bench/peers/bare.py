"""The peer: trio's bare `serve_tcp` with httptools, the application called in place.

Rule: the fastest plausible server that one would write by hand. Parser callbacks make the scope,
the connection's own task runs the application, and one `send_all` sends head and body. It is called
after the application has returned: a task that yields inside a FastAPI application pays for each of
its frames, a third of the whole request. Nothing is hardened: no deadlines, no limits, no
disconnects, no pipelining, no streaming, no shutdown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
import trio

from bench.peers.stock import BACKLOG, announce

Mapping = MutableMapping[str, Any]
App = Callable[
    [Mapping, Callable[[], Awaitable[Mapping]], Callable[[Mapping], Awaitable[None]]],
    Awaitable[None],
]
PIECE = 2**16
STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


class Exchange:
    """One connection: httptools calls the `on_` methods, the application the other two."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._client = stream.socket.getpeername()
        self._server = stream.socket.getsockname()
        self.answer = b""
        self.is_whole = False
        self.parser = httptools.HttpRequestParser(self)
        self.on_message_begin()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Mark the request as complete."""
        self.is_whole = True

    def scope(self) -> Mapping:
        """Return the request as an ASGI scope."""
        url = httptools.parse_url(self._url)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self.parser.get_http_version(),
            "method": self.parser.get_method().decode(),
            "scheme": "http",
            "path": url.path.decode(),
            "raw_path": url.path,
            "query_string": url.query or b"",
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": self._server,
            "state": {},
        }

    async def receive(self) -> Mapping:
        """Return the body, which is complete before the application is called."""
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Mapping) -> None:
        """Keep the head and the body until the application has returned."""
        if message["type"] == "http.response.start":
            lines = [STATUS_LINES[message["status"]]]
            lines += [b"%b: %b\r\n" % header for header in message["headers"]]
            self.answer = b"".join([*lines, b"\r\n"])
        else:
            self.answer += message["body"]


async def serve_connection(app: App, stream: trio.SocketStream) -> None:
    """Answer one request after the other until the client disconnects."""
    exchange = Exchange(stream)
    try:
        while data := await stream.receive_some(PIECE):
            exchange.parser.feed_data(data)
            if exchange.is_whole:
                exchange.is_whole = False
                await app(exchange.scope(), exchange.receive, exchange.send)
                await stream.send_all(exchange.answer)
    except trio.BrokenResourceError:
        return


def on_bare_trio(app: App) -> None:
    """Serve on trio alone."""
    trio.run(_serve, app)


async def _serve(app: App) -> None:
    handler = partial(serve_connection, app)
    async with trio.open_nursery() as nursery:
        tcp = partial(trio.serve_tcp, handler, 0, host="127.0.0.1", backlog=BACKLOG)
        listeners: list[trio.SocketListener] = await nursery.start(tcp)
        announce(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}")
