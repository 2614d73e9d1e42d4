"""Disconnects, on real sockets: only the kernel can report them."""

from __future__ import annotations

import errno
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from functools import partial
from select import epoll

import pytest
import structlog
import trio
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from cafe.http.disconnect import CONNECTION, has_disconnected, unless_disconnected
from cafe.server import exchange
from cafe.server.disconnects import Disconnects, watching_disconnects
from cafe.server.socket_stream import EagerStream
from tests.cafe.http.layers import with_outer_layer
from tests.cafe.server.memory_door import open_memory_door
from tests.system.raw_client import GET


@pytest.fixture
async def disconnects() -> AsyncGenerator[Disconnects]:
    with trio.fail_after(10):
        async with watching_disconnects() as watching:
            assert watching is not None
            yield watching


@contextmanager
def line(disconnects: Disconnects) -> Generator[tuple[EagerStream, socket.socket]]:
    """Yield the server's end of a connection, and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with client, ours:
        ours.setblocking(False)
        yield EagerStream(ours, 10.0, disconnects), client


async def test_a_disconnect_is_reported_also_behind_unread_bytes(
    disconnects: Disconnects,
) -> None:
    with line(disconnects) as (stream, client):
        gone = trio.Event()
        assert stream.watch(gone.set)
        client.sendall(b"x" * 100_000)
        await trio.testing.wait_all_tasks_blocked()
        assert not gone.is_set()
        client.shutdown(socket.SHUT_WR)
        await gone.wait()


async def test_an_earlier_disconnect_is_reported_as_soon_as_it_is_watched_for(
    disconnects: Disconnects,
) -> None:
    with line(disconnects) as (stream, client):
        for _ in "ab":
            gone = trio.Event()
            stream.watch(gone.set)
            client.close()
            await gone.wait()
            stream.unwatch()


async def test_a_connection_may_be_watched_again(disconnects: Disconnects) -> None:
    with line(disconnects) as (stream, client):
        called = list[int]()
        for order in range(3):
            assert stream.watch(partial(called.append, order))
            stream.unwatch()
        gone = trio.Event()
        stream.watch(gone.set)
        client.close()
        await gone.wait()
        assert called == []


async def test_after_unwatch_nothing_is_called_back(disconnects: Disconnects) -> None:
    with line(disconnects) as (stream, client), line(disconnects) as (other, neighbour):
        called, gone = list[str](), trio.Event()
        stream.watch(lambda: called.append("too late"))
        other.watch(gone.set)
        stream.unwatch()
        client.close()
        neighbour.close()
        await gone.wait()
        assert called == []


async def test_a_reset_calls_back_as_a_disconnect(disconnects: Disconnects) -> None:
    with line(disconnects) as (stream, _client):
        called = list[str]()
        stream.watch(lambda: called.append("gone"))
        stream.abort()
        assert called == ["gone"]
        stream.unwatch()
        assert not stream.watch(lambda: None)


async def test_a_reused_descriptor_belongs_to_the_next_connection(
    disconnects: Disconnects,
) -> None:
    with line(disconnects) as (stream, client):
        stream.watch(lambda: None)
        stream.abort()
        client.close()
    with line(disconnects) as (stream, client):
        gone = trio.Event()
        stream.watch(gone.set)
        client.close()
        await gone.wait()


def test_handlers_look_for_the_connection_where_the_server_puts_it() -> None:
    assert CONNECTION == exchange.CONNECTION


class Connection:
    """Ends its scope when its client leaves."""

    def __init__(self, stream: EagerStream) -> None:
        self.scope = trio.CancelScope()
        self.stream = stream

    def end_when_left(self) -> bool:
        return self.stream.watch(self.scope.cancel)

    def stay(self) -> None:
        self.stream.unwatch()

    def has_left(self) -> bool:
        return self.stream.has_left


async def test_a_request_is_cancelled_when_the_kernel_reports_a_disconnect_without_a_task(
    disconnects: Disconnects,
) -> None:
    with line(disconnects) as (stream, client):
        connection = Connection(stream)
        request = Request({"type": "http", "extensions": {CONNECTION: connection}})
        tasks = trio.lowlevel.current_statistics().tasks_living

        async def work() -> str:
            assert trio.lowlevel.current_statistics().tasks_living == tasks
            assert not has_disconnected(request.scope)
            client.close()
            return str(await trio.sleep_forever())

        with connection.scope:
            await unless_disconnected(request, work)
        assert connection.scope.cancelled_caught
        assert has_disconnected(request.scope)


async def test_work_that_is_done_in_time_is_returned(disconnects: Disconnects) -> None:
    with line(disconnects) as (stream, client):
        connection = Connection(stream)
        request = Request({"type": "http", "extensions": {CONNECTION: connection}})

        async def work() -> str:
            client.close()
            return "coffee"

        with connection.scope:
            assert await unless_disconnected(request, work) == "coffee"


async def test_a_hang_up_during_a_wait_ends_the_connection_and_is_logged(
    disconnects: Disconnects,
) -> None:
    cancelled = trio.Event()

    async def app(scope: Scope, receive: Receive, _send: Send) -> None:
        async def work() -> None:
            try:
                client.close()
                await trio.sleep_forever()
            finally:
                cancelled.set()

        await unless_disconnected(Request(scope, receive), work)

    with structlog.testing.capture_logs() as lines, line(disconnects) as (stream, client):
        async with open_memory_door(with_outer_layer(app)) as door:
            client.sendall(GET)
            connection = door.let_in(stream)
            await connection.run()
            assert cancelled.is_set()
            assert not door.admission.given[0].was_used
    assert [(one["event"], one["status"]) for one in lines] == [("request", 499)]


class FullEpoll:
    """An epoll whose user may watch nothing more: `/proc/sys/fs/epoll/max_user_watches`."""

    def __init__(self) -> None:
        self._epoll = epoll()
        self.fileno, self.close = self._epoll.fileno, self._epoll.close
        self.poll, self.unregister = self._epoll.poll, self._epoll.unregister

    def register(self, _descriptor: int, _events: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_connection_that_the_kernel_cannot_watch_gets_a_500_and_ends_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def app(scope: Scope, receive: Receive, _send: Send) -> None:
        await unless_disconnected(Request(scope, receive), trio.sleep_forever)

    monkeypatch.setattr("select.epoll", FullEpoll)
    with trio.fail_after(10):
        async with watching_disconnects() as watching, open_memory_door(app) as door:
            assert watching is not None
            for _ in "ab":
                with line(watching) as (stream, client):
                    client.sendall(GET)
                    await door.let_in(stream).run()
                    assert client.recv(1000).startswith(b"HTTP/1.1 500 ")


async def test_without_epoll_nothing_is_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("select.epoll")
    async with watching_disconnects() as heard:
        assert heard is None
