"""A server of ours on a real socket, in this process, around a tiny ASGI application.

Rule: it listens on port 0 of loopback, and has stopped when the block ends.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trio
from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.http.problem import problem_response, request_id_of
from cafe.limits.admission import Admission
from cafe.limits.kernel_bans import drop_banned
from cafe.server.config import ServerConfig
from cafe.server.context import Problems
from cafe.server.exchange import allow_body
from cafe.server.serve import serve
from tests.system.raw_client import GET, ask

LARGE = 2**22
Certificate = dict[str, Any]
"""Settings of `open_server` that turn on TLS."""
TIMEOUT = 20.0
"""Seconds after which a wait for anything fails the test."""
PROBLEMS = Problems(problem_response, request_id_of)


@dataclass
class TinyApp:
    """An ASGI application with one path for each way in which an application can behave."""

    parked: int = 0
    hung_up: int = 0
    released: trio.Event = field(default_factory=trio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = str(scope["path"])
        if path == "/park":
            await self._park(receive, send)
        elif path == "/fail":
            raise RuntimeError("secret")
        elif path == "/fail-late":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise RuntimeError("secret")
        elif path.startswith("/promises-"):
            await answer(send, b"latte", promised=int(path.removeprefix("/promises-")))
        elif path == "/echo":
            await answer(send, await read_body(receive))
        elif path == "/large":
            allow_body(scope, LARGE)
            await answer(send, await read_body(receive))
        elif path == "/stream":
            await self._stream(send)
        elif path == "/endless":
            await endless(send)
        else:
            await answer(send, f"{scope['method']} {path}".encode())

    async def _park(self, receive: Receive, send: Send) -> None:
        """Wait like a customer: until released, or until the client hangs up."""
        self.parked += 1
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, receive, nursery.cancel_scope)
                await self.released.wait()
                nursery.cancel_scope.cancel()
        finally:
            self.parked -= 1
        await answer(send, b"coffee")

    async def _watch(self, receive: Receive, scope: trio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.hung_up += 1
        scope.cancel()

    async def _stream(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await self.released.wait()
        await send({"type": "http.response.body", "body": b"second"})


async def answer(send: Send, body: bytes, promised: int | None = None) -> None:
    length = len(body) if promised is None else promised
    headers = [(b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive: Receive) -> bytes:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    return body


async def endless(send: Send) -> None:
    """Send a body of 64 MiB, which no client here reads to its end."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(64):
        await send({"type": "http.response.body", "body": bytes(2**20), "more_body": True})


@dataclass(frozen=True, slots=True)
class TinyServer:
    """A server that accepts connections."""

    urls: Sequence[str]
    admission: Admission
    app: TinyApp
    stop: Callable[[], None]

    async def connect(self, source: str | None = None, url: str | None = None) -> trio.SocketStream:
        """Open a connection, from the loopback address `source`."""
        place = urlsplit(url or self.urls[0])
        assert place.hostname is not None
        family = trio.socket.AF_INET6 if ":" in place.hostname else trio.socket.AF_INET
        sock = trio.socket.socket(family, trio.socket.SOCK_STREAM)
        try:
            if source is not None:
                await sock.bind((source, 0))
            await sock.connect((place.hostname, place.port))
        except OSError:
            sock.close()
            raise
        return trio.SocketStream(sock)

    async def connect_tls(
        self, context: ssl.SSLContext, url: str | None = None
    ) -> trio.SSLStream[trio.SocketStream]:
        """Open a connection with TLS, its handshake done."""
        plain = await self.connect(url=url)
        stream = trio.SSLStream(plain, context, server_hostname="localhost", https_compatible=True)
        await stream.do_handshake()
        return stream

    async def gets_served(self, source: str | None = None) -> bool:
        """Return whether a request on a new connection gets its usual answer."""
        async with await self.connect(source) as stream:
            response = await ask(stream, GET)
        return response.status == 200 and response.body == b"GET /"


@asynccontextmanager
async def open_server(
    app: Callable[[TinyApp], ASGIApp] | None = None,
    admission: Admission | None = None,
    **settings: object,
) -> AsyncGenerator[TinyServer]:
    """Serve a TinyApp (wrapped by `app`, if given) on port 0; stop it after the block."""
    config = ServerConfig()
    for key, value in {"bind": "127.0.0.1:0", "graceful_timeout": 1.0, **settings}.items():
        setattr(config, key, value)
    tiny, stop = TinyApp(), trio.Event()
    guard = admission or Admission(per_address=1200, total=4000)
    with trio.fail_after(TIMEOUT):
        async with trio.open_nursery() as nursery:
            served = partial(
                serve,
                app(tiny) if app else tiny,
                config,
                guard,
                PROBLEMS,
                shutdown_trigger=stop.wait,
                beside=partial(drop_banned, admission=guard),
            )
            urls: list[str] = await nursery.start(served)
            yield TinyServer(urls, guard, tiny, stop.set)
            stop.set()


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
