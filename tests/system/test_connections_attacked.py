"""What a connection does to a client that attacks it, and that others are not affected."""

from __future__ import annotations

import socket
import struct

import pytest
import structlog
import trio

from tests.system.raw_client import GET, PARK, ask, read_to_end
from tests.system.tiny_server import open_server
from tests.system.until import until

pytestmark = pytest.mark.once

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
UPGRADE = b"GET / HTTP/1.1\r\nHost: cafe\r\nConnection: upgrade\r\n"
WEBSOCKET = UPGRADE + (
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
H2C = UPGRADE + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
    return head + payload


def literal(name: bytes, value: bytes) -> bytes:
    """Write one header as HPACK has it, without its tables."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def http2(method: bytes, path: bytes | None) -> bytes:
    headers = literal(b":method", method) + literal(b":scheme", b"http")
    headers += literal(b":authority", b"cafe")
    if path is not None:
        headers += literal(b":path", path)
    return PREFACE + SETTINGS + frame(1, 5, 1, headers)


# Each ends a stock hypercorn 0.18 on trio, or did (shared facts; hypercorn#225, #197, #329).
HYPERCORN_KILLERS = {
    "websocket and stray bytes": WEBSOCKET + b"\xff\xfestray bytes that are no frame",
    "http2, data after the response": http2(b"GET", b"/") + frame(0, 1, 1, b"late") * 3,
    "http2, connect without a path": http2(b"CONNECT", None),
    "http2, path not ascii": http2(b"GET", b"/caf\xc3\xa9"),
    "http2, method not ascii": http2(b"G\xc3\x89T", b"/"),
    "http2, many priorities": PREFACE + SETTINGS + frame(2, 0, 1, b"\0\0\0\0\x10") * 1500,
    "h2c upgrade and frames": H2C + PREFACE + SETTINGS + frame(0, 1, 1, b"late"),
    "host not utf-8": b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
}

# What they get where HTTP still allows an answer.
BAD_REQUESTS = {
    "garbage": (b"\x00\x01\x02garbage\r\n\r\n", 400),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "path not ascii": (b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: cafe\r\n\r\n", 400),
    "method not ascii": (b"G\xc3\x89T / HTTP/1.1\r\nHost: cafe\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "two lengths": (GET.replace(b"\n\r", b"\nContent-Length: 1\r\nContent-Length: 2\r\n\r"), 400),
    "negative length": (GET.replace(b"\n\r", b"\nContent-Length: -1\r\n\r"), 400),
    "length too long": (GET.replace(b"\n\r", b"\nContent-Length: %s\r\n\r" % (b"9" * 5000)), 400),
    "unknown coding": (GET.replace(b"\n\r", b"\nTransfer-Encoding: brotli\r\n\r"), 501),
    "bad chunk": (GET.replace(b"\n\r", b"\nTransfer-Encoding: chunked\r\n\r") + b"zz\r\n", 400),
    "head too large": (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000, 431),
    "endless word": (b"x" * 40_000, 501),
    "endless target": (b"GET /" + b"x" * 40_000, 414),
    "too many fields": (GET.replace(b"\n\r", b"\n" + b"X: x\r\n" * 100 + b"\r"), 431),
    "connect": (b"CONNECT cafe:443 HTTP/1.1\r\nHost: cafe\r\n\r\n", 501),
    "http2": (PREFACE, 505),
    "http 9": (b"GET / HTTP/9.9\r\nHost: cafe\r\n\r\n", 505),
    "half a head, then the end": (b"GET / HTT", 400),
}


@pytest.mark.parametrize("attack", HYPERCORN_KILLERS.values(), ids=HYPERCORN_KILLERS)
async def test_what_ends_a_stock_hypercorn_has_no_effect_on_others(attack: bytes) -> None:
    async with open_server() as server:
        async with await server.connect() as stream:
            await stream.send_all(attack)
            await stream.send_eof()
            await read_to_end(stream)
        assert await server.gets_served()
        await until(lambda: server.admission.open == 0)
        assert server.admission.isolated == 0


@pytest.mark.parametrize("upgrade", [WEBSOCKET, H2C], ids=["websocket", "h2c"])
async def test_an_upgrade_is_ignored_and_the_request_served(upgrade: bytes) -> None:
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(upgrade + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        received = await read_to_end(stream)
        assert received.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize(("raw", "status"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
async def test_a_bad_request_gets_a_problem_and_a_close(raw: bytes, status: int) -> None:
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(raw)
        await stream.send_eof()
        received = await read_to_end(stream)
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"application/problem+json" in head
        assert b"connection: close" in head.lower()
        assert b'"status":%d' % status in body
        assert await server.gets_served()


async def test_a_bad_request_is_logged_with_its_id_and_counted_against_its_address() -> None:
    async with open_server() as server, await server.connect("127.0.0.8") as stream:
        with structlog.testing.capture_logs() as logs:
            answer = await ask(stream, b"GET / HTTP/1.1\r\n\r\n")
            await until(lambda: logs != [])
        assert logs == [
            {
                "event": "request refused",
                "log_level": "info",
                "status": 400,
                "address": "127.0.0.8",
                "request_id": answer.headers[b"x-request-id"].decode(),
            }
        ]
        assert server.admission.malformed == 1
        assert server.admission.take_refusals() == (("127.0.0.8", 1),)


async def test_a_client_that_closes_in_the_middle_of_a_head_is_not_blamed() -> None:
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(b"GET / HTT")
        await stream.send_eof()
        assert (await read_to_end(stream)).startswith(b"HTTP/1.1 400")
        assert server.admission.malformed == 0
        assert server.admission.take_refusals() == ()


async def test_a_failure_in_the_server_ends_one_connection_and_is_logged() -> None:
    """Planted in the configuration, which is asked how long a head may take."""
    fails = False

    class Planted(float):
        def __radd__(self, other: float) -> float:
            if fails:
                raise RuntimeError("planted")
            return other + float(self)

    planted = Planted(5.0)
    async with open_server(head_timeout=planted) as server, await server.connect() as customer:
        await customer.send_all(PARK)
        await until(lambda: server.app.parked == 1)
        fails = True
        with structlog.testing.capture_logs() as logs:
            for raw in (b"", GET[:10]):  # whose deadline has to be known
                async with await server.connect() as stream:
                    await stream.send_all(raw)
                    assert await read_to_end(stream) == b""
        assert [entry["event"] for entry in logs] == ["connection isolated"] * 2
        assert server.admission.isolated == 2
        fails = False
        server.app.released.set()
        assert b"coffee" in bytes(await customer.receive_some(65536))
        assert await server.gets_served()


async def test_a_bad_body_ends_a_request_that_is_under_way() -> None:
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(PARK.replace(b"\n\r", b"\nTransfer-Encoding: chunked\r\n\r"))
        await until(lambda: server.app.parked == 1)
        await stream.send_all(b"not a chunk\r\n")
        assert (await read_to_end(stream)).startswith(b"HTTP/1.1 400")
        assert server.app.parked == 0


async def reset(stream: trio.SocketStream) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


RESET_AFTER = {
    "nothing": b"",
    "half a head": b"GET / HTT",
    "half a body": b"POST /echo HTTP/1.1\r\nHost: cafe\r\nContent-Length: 9\r\n\r\nmi",
    "half a chunk": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nmi",
    "a request": GET,
    "a parked request": PARK,
    "a parked request and more": PARK + GET * 10,
    "a request for more than can be sent": GET.replace(b"/ ", b"/endless "),
    "a request for a stream": GET.replace(b"/ ", b"/stream "),
    "an upgrade": WEBSOCKET,
    "a bad request": b"\x00\r\n\r\n",
}


@pytest.mark.parametrize("end", [reset, trio.SocketStream.aclose], ids=["reset", "closed"])
@pytest.mark.parametrize("raw", RESET_AFTER.values(), ids=RESET_AFTER)
async def test_a_client_may_leave_in_any_state(raw: bytes, end: object) -> None:
    async with open_server() as server:
        streams = [await server.connect() for _ in range(3)]
        for stream in streams:
            await stream.send_all(raw)
        await until(lambda: server.admission.open == 3)
        for stream in streams:
            await (reset(stream) if end is reset else stream.aclose())
        server.app.released.set()
        await until(lambda: server.admission.open == 0)
        assert await server.gets_served()
        assert server.admission.isolated == 0
