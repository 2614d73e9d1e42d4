"""A real server on a real socket around a tiny application, and a client that allows no mistake."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import h11
import trio
from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.http.problem import problem_response, request_id_of
from cafe.limits.admission import Admission
from cafe.limits.kernel_bans import drop_banned
from cafe.server.config import ServerConfig
from cafe.server.context import Problems
from cafe.server.exchange import allow_body
from cafe.server.serve import serve

GET = b"GET / HTTP/1.1\r\nHost: cafe\r\n\r\n"
PARK = b"GET /park HTTP/1.1\r\nHost: cafe\r\n\r\n"
LARGE = 2**22
Certificate = dict[str, Any]
"""Settings for `open_door` that let it speak TLS."""
PATIENCE = 20.0
"""No test waits longer than this for anything."""
PROBLEMS = Problems(problem_response, request_id_of)


@dataclass
class TinyShop:
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
        """Wait like a customer: until released, or until it hangs up."""
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
    """Answer for as long as anybody is told to read; stop by being cut off."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(64):
        await send({"type": "http.response.body", "body": bytes(2**20), "more_body": True})


@dataclass(frozen=True, slots=True)
class OpenDoor:
    """A server that accepts."""

    urls: Sequence[str]
    admission: Admission
    shop: TinyShop
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
        """Tell whether a normal request on a new connection gets its normal answer."""
        async with await self.connect(source) as stream:
            response = await ask(stream, GET)
        return response.status == 200 and response.body == b"GET /"


@asynccontextmanager
async def open_door(
    app: Callable[[TinyShop], ASGIApp] | None = None,
    admission: Admission | None = None,
    **settings: object,
) -> AsyncGenerator[OpenDoor]:
    """Serve a TinyShop (inside of what `app` makes of it) on port 0; stop it after the block."""
    config = ServerConfig()
    for key, value in {"bind": "127.0.0.1:0", "graceful_timeout": 1.0, **settings}.items():
        setattr(config, key, value)
    shop, stop = TinyShop(), trio.Event()
    guard = admission or Admission(per_address=1200, total=4000)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            served = partial(
                serve,
                app(shop) if app else shop,
                config,
                guard,
                PROBLEMS,
                shutdown_trigger=stop.wait,
                beside=partial(drop_banned, admission=guard),
            )
            urls: list[str] = await nursery.start(served)
            yield OpenDoor(urls, guard, shop, stop.set)
            stop.set()


@dataclass(frozen=True, slots=True)
class Answer:
    """One response as h11 reads it."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Client:
    """Reads responses with h11, which raises for anything that is not HTTP/1.1."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._connection = h11.Connection(h11.CLIENT)

    async def ask(self, raw: bytes, method: str = "GET") -> Answer:
        """Send `raw`, give the answer; then the connection is ready for the next."""
        await self.stream.send_all(raw)
        return await self.read(method)

    async def read(self, method: str = "GET") -> Answer:
        """Give the answer to what has been sent."""
        self._pretend(method)
        head, body = h11.Response(status_code=599, headers=[]), b""
        while not isinstance(event := self._connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                self._connection.receive_data(bytes(await self.stream.receive_some(65536)))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
        if self._connection.our_state is h11.DONE and self._connection.their_state is h11.DONE:
            self._connection.start_next_cycle()
        return Answer(head.status_code, dict(head.headers), body)

    def _pretend(self, method: str) -> None:
        """Have h11 believe that it wrote the request, which is often one that it would not."""
        self._connection.send(h11.Request(method=method, target="/", headers=[("Host", "cafe")]))
        self._connection.send(h11.EndOfMessage())


async def ask(stream: trio.abc.Stream, raw: bytes, method: str = "GET") -> Answer:
    """Send one request, give its answer."""
    return await Client(stream).ask(raw, method)


async def read_to_end(stream: trio.abc.ReceiveStream) -> bytes:
    """Give all that still comes; a reset ends it as well as a close."""
    received = b""
    try:
        while data := await stream.receive_some(65536):
            received += data
    except trio.BrokenResourceError:
        pass
    return received


def descriptors() -> int:
    """Count the descriptors that this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds: what the other side of a real socket does has no event here."""
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - see above
            await trio.sleep(0.002)
