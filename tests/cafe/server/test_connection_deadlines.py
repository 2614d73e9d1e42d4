"""Deadlines of a connection, exact in virtual time; and no flood keeps them from falling."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
import trio
import trio.testing
from starlette.types import Receive, Scope, Send

from cafe.server.connection import Connection
from cafe.server.socket_stream import EagerStream
from tests.cafe.server.memory_door import (
    MemoryDoor,
    MemoryTransport,
    Parked,
    Visitor,
    echo,
    greet,
    open_memory_door,
    settle,
)
from tests.system.raw_client import GET, Client

POST = b"POST / HTTP/1.1\r\nHost: cafe\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: cafe\r\nTransfer-Encoding: chunked\r\n\r\n"
BAD = b"BREW / HTTP/1.1\r\n\r\n"


async def trickle(visitor: Visitor, raw: bytes, every: float) -> None:
    """Say the same again and again until nobody listens."""
    try:
        while True:
            await visitor.say(raw)
            await trio.sleep(every)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def status_and_end(visitor: Visitor) -> tuple[bytes, float]:
    """Return the status that is heard, b"" for none, and when the server had closed."""
    return (await visitor.hear_all())[9:12], trio.current_time()


@pytest.mark.schedules
async def test_a_client_that_sends_nothing_is_closed_after_5_seconds() -> None:
    async with open_memory_door(greet) as door:
        await trio.sleep(3)
        assert await status_and_end(door.visit()) == (b"", 8)


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\nHost: ca"])
@pytest.mark.schedules
async def test_a_head_has_5_seconds_from_its_first_byte(begun: bytes) -> None:
    async with open_memory_door(greet) as door:
        visitor = door.visit()
        await trio.sleep(4)
        await visitor.say(begun)
        assert await status_and_end(visitor) == (b"408", 9)


@pytest.mark.schedules
async def test_a_head_that_trickles_has_no_longer() -> None:
    async with open_memory_door(greet) as door:
        visitor = door.visit()
        await visitor.say(GET.removesuffix(b"\r\n"))
        door.nursery.start_soon(trickle, visitor, b"X: x\r\n", 0.25)
        assert await status_and_end(visitor) == (b"408", 5)


@pytest.mark.schedules
async def test_empty_lines_do_not_begin_a_head() -> None:
    async with open_memory_door(greet) as door:
        visitor = door.visit()
        door.nursery.start_soon(trickle, visitor, b"\r\n\r", 0.25)
        assert await status_and_end(visitor) == (b"400", 0.25)  # \r\r\n is no empty line
        visitor = door.visit()
        door.nursery.start_soon(trickle, visitor, b"\r\n", 0.25)
        assert await status_and_end(visitor) == (b"", 5.25)


@pytest.mark.schedules
async def test_an_idle_connection_is_closed_after_its_time() -> None:
    async with open_memory_door(greet, keep_alive_timeout=15.0) as door:
        visitor = door.visit()
        await visitor.ask(GET)
        await trio.sleep(10)
        await visitor.ask(GET)
        assert await status_and_end(visitor) == (b"", 10 + 15)


@pytest.mark.schedules
async def test_a_later_head_has_5_seconds_like_the_first() -> None:
    async with open_memory_door(greet, keep_alive_timeout=15.0) as door:
        visitor = door.visit()
        await visitor.ask(GET)
        await trio.sleep(14)
        await visitor.say(b"GET /")
        assert await status_and_end(visitor) == (b"408", 14 + 5)


@pytest.mark.schedules
async def test_a_request_that_is_parked_has_no_deadline() -> None:
    parked = Parked()
    async with open_memory_door(parked) as door:
        visitor = door.visit()
        await visitor.say(GET)
        await trio.sleep(3000)
        assert parked.waiting == 1
        parked.released.set()
        assert (await visitor.hear()).body == b"coffee"
        assert trio.current_time() == 3000


@pytest.mark.parametrize(
    ("head", "drop"), [(POST, b"x"), (CHUNKED, b"1\r\nx\r\n"), (CHUNKED, b"1;")], ids=str
)
@pytest.mark.parametrize("app", [echo, greet])
@pytest.mark.schedules(20)
async def test_a_body_has_10_seconds_from_when_it_is_waited_for(
    app: Callable[[Scope, Receive, Send], object], head: bytes, drop: bytes
) -> None:
    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await trio.sleep(100)
        await (echo if app is echo else greet)(scope, receive, send)

    async with open_memory_door(late) as door:
        visitor = door.visit()
        await visitor.say(head)
        await trio.sleep(100)
        door.nursery.start_soon(trickle, visitor, drop, 4)
        status = b"408" if app is echo else b"200"
        assert await status_and_end(visitor) == (status, 110)


@pytest.mark.schedules
async def test_a_client_that_does_not_close_after_the_last_response_is_closed_after_2_seconds() -> (
    None
):
    async with open_memory_door(greet) as door:
        for raw in (BAD, GET.replace(b"1.1", b"1.0")):
            visitor = door.visit()
            began = trio.current_time()
            await visitor.say(raw)
            door.nursery.start_soon(trickle, visitor, b"more", 0.25)
            assert (await visitor.hear_all()).startswith(b"HTTP/1.1 ")
            assert trio.current_time() == began  # that was all, it reads at once
            await visitor.ended.wait()
            assert trio.current_time() == began + 2


@pytest.mark.schedules
async def test_a_client_that_closes_after_the_last_response_is_not_lingered_for() -> None:
    async with open_memory_door(greet) as door:
        visitor = door.visit()
        await visitor.say(BAD)
        await visitor.hear_all()
        await visitor.stream.send_eof()
        await visitor.ended.wait()
        assert trio.current_time() == 0


class Flood(MemoryTransport):
    """A client who is quicker than the server: bytes are always there, and nothing ever waits."""

    def __init__(self, begin: bytes, flood: bytes) -> None:
        super().__init__(trio.testing.memory_stream_pair()[1])
        self._next, self._flood = begin, flood
        self.others_ran = 0

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self.aborted:
            raise trio.ClosedResourceError
        self.taken += 1
        assert self.taken < 1000 + 100 * self.others_ran, "it keeps the loop to itself"
        data, self._next = self._next, self._flood
        return data[:max_bytes]

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        pass

    async def send_eof(self) -> None:
        pass


# What comes again and again, and whether a deadline ends it: bodies have their size.
FLOODS = {
    "empty lines": (b"", b"\r\n" * 4096, True),
    "after the last answer": (BAD, b"x" * 8192, True),
    "a body": (CHUNKED, b"1\r\nx\r\n" * 64, False),
    "the framing of a body": (CHUNKED, b"1;" + b"e" * 14 + b"\r\nx\r\n", False),
    "a body that nobody reads": (POST.replace(b"10", b"60000"), b"x" * 10, False),
    "requests": (b"", GET * 100, False),
}


@pytest.mark.parametrize(("begin", "flood", "has_deadline"), FLOODS.values(), ids=FLOODS)
@pytest.mark.schedules(5)
async def test_a_flood_lets_other_tasks_run_and_times_out(
    begin: bytes, flood: bytes, *, has_deadline: bool
) -> None:
    async with open_memory_door(greet) as door:
        transport = Flood(begin or flood, flood)
        connection = door.let_in(transport)
        door.nursery.start_soon(connection.run)

        for seconds in (0, 60):
            jump(seconds)
            for _ in range(200):
                transport.others_ran += 1
                await trio.lowlevel.checkpoint()
        assert transport.closed or not has_deadline
        assert door.admission.isolated == 0
        connection.transport.abort()


def jump(seconds: float) -> None:
    cast("trio.testing.MockClock", trio.lowlevel.current_clock()).jump(seconds)


@asynccontextmanager
async def on_a_socket(door: MemoryDoor) -> AsyncGenerator[tuple[trio.SocketStream, Connection]]:
    """Serve a client over a real socket; yield the client's side, and its connection."""
    client, server = trio.socket.socketpair()
    # EagerStream takes a plain socket.
    plain = socket.socket(fileno=server.detach())
    plain.setblocking(False)
    connection = door.let_in(EagerStream(plain, 10.0))
    door.nursery.start_soon(connection.run)
    async with trio.SocketStream(client) as stream:
        await settle()
        yield stream, connection


@pytest.mark.parametrize("earlier", [0, 1], ids=["fresh", "idle"])
@pytest.mark.schedules(20)
async def test_a_request_that_arrives_while_the_process_stalls_past_the_deadline_is_answered(
    earlier: int,
) -> None:
    async with open_memory_door(greet) as door, on_a_socket(door) as (stream, _connection):
        client = Client(stream)
        for _ in range(earlier):
            await client.ask(GET)
            await settle()
        await stream.send_all(GET)
        jump(60)
        assert (await client.read()).status == 200


@pytest.mark.schedules(20)
async def test_a_drop_while_a_head_arrives_does_not_cancel_the_application() -> None:
    heard: list[str] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        heard.append("called")
        await trio.lowlevel.checkpoint()
        heard.append("went on")

    async with open_memory_door(app) as door, on_a_socket(door) as (stream, connection):
        await stream.send_all(GET)
        connection.drop()
        await settle()
    assert heard in ([], ["called", "went on"])
