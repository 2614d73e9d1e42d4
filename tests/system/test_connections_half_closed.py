"""Clients who close their side before they are answered: which of them were still there to read."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
import trustme
from starlette.types import Receive, Scope, Send

from cafe.http.disconnect import CONNECTION, if_undelivered
from cafe.server.connection import Connection
from tests.system.raw_client import Client, read_to_end
from tests.system.tiny_server import Certificate, TinyServer, answer, open_server
from tests.system.until import until

POST = b"POST /%s HTTP/1.1\r\nHost: cafe\r\n\r\n"
Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


@dataclass
class Waiter:
    """Answers only when the client has closed its side, and notes the answers that were lost."""

    asked: int = 0
    lost: list[str] = field(default_factory=list[str])

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        connection: Connection = scope["extensions"][CONNECTION]
        self.asked += 1
        if scope["path"] != "/again":
            await until(connection.transport.peer_has_closed)
        if_undelivered(scope, lambda: self.lost.append(scope["path"]))
        await answer(send, b"latte")


@asynccontextmanager
async def connected(
    waiter: Waiter, *, tls: bool, authority: trustme.CA, certificate: Certificate
) -> AsyncGenerator[tuple[TinyServer, Stream]]:
    context = ssl.create_default_context()
    authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType] - of pyOpenSSL
    settings = certificate if tls else {}
    async with (
        open_server(lambda _: waiter, linger_timeout=0.2, **settings) as server,
        await (server.connect_tls(context) if tls else server.connect()) as stream,
    ):
        yield server, stream


def socket_of(stream: Stream) -> trio.SocketStream:
    return stream.transport_stream if isinstance(stream, trio.SSLStream) else stream


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("requests", [1, 3])
async def test_a_client_that_half_closes_reads_all_its_responses(
    authority: trustme.CA, certificate: Certificate, *, tls: bool, requests: int
) -> None:
    waiter = Waiter()
    async with connected(waiter, tls=tls, authority=authority, certificate=certificate) as (
        server,
        stream,
    ):
        await stream.send_all(POST % b"x" * requests)
        await socket_of(stream).send_eof()
        client = Client(stream)
        for _ in range(requests):
            assert (await client.read("POST")).body == b"latte"
        assert await read_to_end(stream) == b""
        await until(lambda: server.admission.open == 0)
    assert (waiter.asked, waiter.lost) == (requests, [])


def close(stream: trio.SocketStream) -> None:
    stream.socket.close()


def reset(stream: trio.SocketStream) -> None:
    stream.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    stream.socket.close()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("leave", [close, reset])
@pytest.mark.parametrize("last", [b"", b"Connection: close\r\n"])
async def test_a_client_that_has_gone_calls_back(
    authority: trustme.CA,
    certificate: Certificate,
    leave: Callable[[trio.SocketStream], None],
    *,
    tls: bool,
    last: bytes,
) -> None:
    waiter = Waiter()
    async with connected(waiter, tls=tls, authority=authority, certificate=certificate) as (
        server,
        stream,
    ):
        await stream.send_all((POST % b"x").replace(b"Host", last + b"Host"))
        await until(lambda: waiter.asked == 1)
        leave(socket_of(stream))
        await until(lambda: waiter.lost == ["/x"])
        await until(lambda: server.admission.open == 0)
    assert server.admission.isolated == 0


async def test_a_client_that_leaves_after_its_response_does_not_call_back() -> None:
    waiter = Waiter()
    async with open_server(lambda _: waiter) as server:
        stream = await server.connect()
        await stream.send_all(POST % b"again")
        assert (await Client(stream).read("POST")).body == b"latte"
        reset(stream)
        await until(lambda: server.admission.open == 0)
    assert waiter.lost == []
