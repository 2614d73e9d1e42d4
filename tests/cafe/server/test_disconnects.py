"""Hearing who hangs up, on real sockets: only the kernel can tell."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from functools import partial

import pytest
import structlog
import trio
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from cafe.http.disconnect import CONNECTION, has_disconnected, unless_disconnected
from cafe.server.disconnects import HangUps, hearing_hang_ups
from cafe.server.socket_stream import EagerStream
from tests.cafe.http.layers import with_outer_layer
from tests.cafe.server.memory_door import open_memory_door
from tests.system.door import GET


@pytest.fixture
async def hang_ups() -> AsyncGenerator[HangUps]:
    with trio.fail_after(10):
        async with hearing_hang_ups() as heard:
            assert heard is not None
            yield heard


@contextmanager
def line(hang_ups: HangUps) -> Generator[tuple[EagerStream, socket.socket]]:
    """Give our end of a connection, and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with client, ours:
        ours.setblocking(False)
        yield EagerStream(ours, 10.0, hang_ups), client


async def test_whoever_leaves_is_heard_also_behind_what_nobody_has_read(hang_ups: HangUps) -> None:
    with line(hang_ups) as (stream, client):
        gone = trio.Event()
        assert stream.watch(gone.set)
        client.sendall(b"x" * 100_000)
        await trio.testing.wait_all_tasks_blocked()
        assert not gone.is_set()
        client.shutdown(socket.SHUT_WR)
        await gone.wait()


async def test_whoever_has_left_before_is_heard_as_soon_as_somebody_cares(
    hang_ups: HangUps,
) -> None:
    with line(hang_ups) as (stream, client):
        for _ in "ab":
            gone = trio.Event()
            stream.watch(gone.set)
            client.close()
            await gone.wait()
            stream.unwatch()


async def test_a_customer_who_stays_may_be_watched_again(hang_ups: HangUps) -> None:
    with line(hang_ups) as (stream, client):
        told = list[int]()
        for order in range(3):
            assert stream.watch(partial(told.append, order))
            stream.unwatch()
        gone = trio.Event()
        stream.watch(gone.set)
        client.close()
        await gone.wait()
        assert told == []


async def test_nobody_is_told_who_no_longer_cares(hang_ups: HangUps) -> None:
    with line(hang_ups) as (stream, client), line(hang_ups) as (other, neighbour):
        told, gone = list[str](), trio.Event()
        stream.watch(lambda: told.append("too late"))
        other.watch(gone.set)
        stream.unwatch()
        client.close()
        neighbour.close()
        await gone.wait()
        assert told == []


async def test_to_reset_a_connection_is_to_see_its_client_gone(hang_ups: HangUps) -> None:
    with line(hang_ups) as (stream, _client):
        told = list[str]()
        stream.watch(lambda: told.append("gone"))
        stream.abort()
        assert told == ["gone"]
        stream.unwatch()
        assert not stream.watch(lambda: None)


async def test_a_number_that_is_given_again_belongs_to_the_next_connection(
    hang_ups: HangUps,
) -> None:
    with line(hang_ups) as (stream, client):
        stream.watch(lambda: None)
        stream.abort()
        client.close()
    with line(hang_ups) as (stream, client):
        gone = trio.Event()
        stream.watch(gone.set)
        client.close()
        await gone.wait()


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


async def test_a_request_is_cancelled_by_the_kernels_word_without_a_task(
    hang_ups: HangUps,
) -> None:
    with line(hang_ups) as (stream, client):
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


async def test_work_that_is_done_in_time_is_given(hang_ups: HangUps) -> None:
    with line(hang_ups) as (stream, client):
        connection = Connection(stream)
        request = Request({"type": "http", "extensions": {CONNECTION: connection}})

        async def work() -> str:
            client.close()
            return "coffee"

        with connection.scope:
            assert await unless_disconnected(request, work) == "coffee"


async def test_whoever_hangs_up_while_he_waits_is_the_end_of_his_connection_and_a_line_of_log(
    hang_ups: HangUps,
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

    with structlog.testing.capture_logs() as lines, line(hang_ups) as (stream, client):
        async with open_memory_door(with_outer_layer(app)) as door:
            client.sendall(GET)
            connection = door.let_in(stream)
            await connection.run()
            assert cancelled.is_set()
            assert not door.admission.given[0].was_used
    assert [(one["event"], one["status"]) for one in lines] == [("request", 499)]


async def test_where_the_kernel_cannot_tell_nothing_is_promised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("select.epoll")
    async with hearing_hang_ups() as heard:
        assert heard is None
