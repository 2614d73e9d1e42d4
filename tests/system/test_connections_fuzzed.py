"""Thousands of connections of noise beside customers who wait: none is lost, nothing stays open."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator

import pytest
import structlog
import trio

from tests.chance import examples
from tests.system.raw_client import GET, PARK, Client
from tests.system.test_connections_attacked import H2C, PREFACE, WEBSOCKET
from tests.system.tiny_server import TinyServer, descriptors, open_server
from tests.system.until import until

pytestmark = pytest.mark.once

CONNECTIONS = examples(10_000)
PARTS = 10
"""So that none takes longer than the time-out of `open_server`."""
AT_ONCE = 50
CUSTOMERS = 5
NEVER_COMPLETE = "the application returned before its response was complete"
HEAD = b"POST /echo HTTP/1.1\r\nHost: cafe\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BEGINNINGS = [
    b"",
    GET,
    GET * 3,
    PARK,
    PARK + GET,
    HEAD,
    HEAD + b"Content-Length: 5\r\n\r\nlatte" + GET,
    HEAD + b"Content-Length: 50\r\n\r\nlatte",
    HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nlatte",
    CHUNKED,
    CHUNKED + b"3\r\nlat\r\n2;a=b\r\nte\r\n0\r\n\r\n" + GET,
    GET.replace(b"/ ", b"/endless "),
    GET.replace(b"1.1", b"1.0"),
    GET.replace(b"GET", b"HEAD"),
    PREFACE,
    WEBSOCKET,
    H2C,
]
PIECES = [b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"\0", b":", b" ", b"0\r\n\r\n", b"\xff", b"9" * 30]


def garbled(dice: random.Random) -> bytes:
    """Return something that may begin like HTTP."""
    raw = bytearray(dice.choice(BEGINNINGS))
    if dice.random() < 0.5:
        raw += dice.randbytes(dice.randrange(200))
    for _ in range(dice.randrange(4)):
        at = dice.randrange(len(raw) + 1)
        raw[at : at + dice.randrange(3)] = dice.choice(PIECES)
    return bytes(raw)


async def make_noise(server: TinyServer, dice: random.Random, source: str) -> None:
    """Send it in two pieces; then leave in one way or another."""
    raw = garbled(dice)
    cut = dice.randrange(len(raw) + 1)
    stream = await server.connect(source)
    try:
        await stream.send_all(raw[:cut])
        if dice.random() < 0.3:
            await trio.sleep(0.001)
        await stream.send_all(raw[cut:])
        match dice.randrange(4):
            case 0:
                await stream.send_eof()
                await read_some(stream)
            case 1:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case 2:
                with trio.move_on_after(0.005):
                    await stream.receive_some(100)
            case _:
                pass
    except trio.BrokenResourceError:
        pass
    finally:
        await stream.aclose()


async def read_some(stream: trio.SocketStream) -> None:
    """Read to the end, unless there is none."""
    received = 0
    while received < 2**17 and (data := await stream.receive_some(2**16)):
        received += len(data)


@pytest.mark.parametrize("part", range(PARTS))
async def test_ten_thousand_connections_of_noise_have_no_effect_on_others(part: int) -> None:
    before = descriptors()
    with structlog.testing.capture_logs() as logs:
        async with open_server() as server:
            customers = [await server.connect("127.0.0.2") for _ in range(CUSTOMERS)]
            for customer in customers:
                await customer.send_all(PARK)
            await until(lambda: server.app.parked == CUSTOMERS)
            turns = iter(range(part, CONNECTIONS, PARTS))
            async with trio.open_nursery() as nursery:
                for number in range(AT_ONCE):
                    nursery.start_soon(make_noise_in_turn, server, turns, f"127.0.1.{number + 1}")
            await until(lambda: server.admission.open == CUSTOMERS)
            assert server.app.parked == CUSTOMERS
            assert await server.gets_served()
            server.app.released.set()
            for customer in customers:
                answer = await Client(customer).read()
                assert (answer.status, answer.body) == (200, b"coffee")
                await customer.aclose()
            await until(lambda: server.admission.open == 0)
            assert server.admission.isolated == 0
            assert server.admission.refused == 0
    assert descriptors() == before
    # The endless one never completes its answer; nothing else has failed.
    failures = [log for log in logs if log["event"] != "request refused"]
    assert {str(log["exc_info"]) for log in failures} <= {NEVER_COMPLETE}


async def make_noise_in_turn(server: TinyServer, turns: Iterator[int], source: str) -> None:
    for number in turns:
        # Each has a seed of its own, for the order in which they come is not ours to say.
        await make_noise(server, random.Random(number), source)  # noqa: S311
