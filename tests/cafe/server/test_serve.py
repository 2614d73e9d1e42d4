"""The listening sockets, and what hypercorn's `worker_serve` does with the lifespan."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from hypercorn.trio import run
from hypercorn.utils import LifespanFailureError, LifespanTimeoutError
from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.limits.admission import Admission
from cafe.server.config import ServerConfig
from cafe.server.serve import BindError, listening, serve
from tests.system.raw_client import GET, ask
from tests.system.tiny_server import PROBLEMS, answer


def config(*binds: str) -> ServerConfig:
    config = ServerConfig()
    config.bind = list(binds)
    return config


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncGenerator[str]:
    """Serve `app` around the block, stop it gracefully after; yield its URL."""
    stop = trio.Event()

    async def run(task_status: trio.TaskStatus[list[str]]) -> None:
        await serve(
            app,
            config("127.0.0.1:0"),
            Admission(None, 10),
            PROBLEMS,
            shutdown_trigger=stop.wait,
            task_status=task_status,
        )

    async with trio.open_nursery() as nursery:
        (url,) = await nursery.start(run)
        yield url
        stop.set()


async def get(url: str) -> bytes:
    stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
    async with stream:
        return (await ask(stream, GET)).body


def test_the_pinned_hypercorn_accepts_by_the_name_that_is_replaced() -> None:
    assert "serve_listeners" in run.worker_serve.__code__.co_names
    assert run.worker_serve.__code__.co_freevars == ()


async def test_an_application_is_served_between_its_start_up_and_its_shutdown() -> None:
    happened: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            happened.append(scope["state"]["menu"])
            scope["state"]["menu"] = "seen by this request only"
            await answer(send, b"coffee")
            return
        scope["state"]["menu"] = "americano"
        for _ in range(2):
            event = (await receive())["type"]
            happened.append(event)
            await send({"type": f"{event}.complete"})

    async with served(app) as url:
        for _ in range(2):
            assert await get(url) == b"coffee"
    assert happened == ["lifespan.startup", "americano", "americano", "lifespan.shutdown"]


async def test_nothing_is_served_after_a_start_up_that_failed() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await trio.lowlevel.checkpoint()
        await send({"type": "lifespan.startup.failed", "message": "no beans"})

    with pytest.raises(ExceptionGroup) as raised:
        async with served(app):
            pytest.fail("served all the same")
    assert raised.group_contains(LifespanFailureError, match="no beans")


async def test_an_application_without_a_lifespan_is_served() -> None:
    async def returns(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await answer(send, str(scope["state"]).encode())

    async def raises(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await returns(scope, receive, send)

    for app in (returns, raises):
        async with served(app) as url:
            assert await get(url) == b"{}"


async def test_an_application_that_never_completes_its_start_up_is_not_served(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as raised:
        async with served(app):
            pytest.fail("served all the same")
    assert raised.group_contains(LifespanTimeoutError)
    assert autojump_clock.current_time() == pytest.approx(ServerConfig().startup_timeout)


async def test_an_application_that_calls_its_cancellation_a_failure_raises_nothing_more() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()
        except BaseException:
            await send({"type": "lifespan.shutdown.failed", "message": "cancelled"})
            raise

    with pytest.raises(ExceptionGroup) as raised:
        async with served(app):
            raise KeyError("the shop has crashed")
    assert [type(one) for one in raised.value.exceptions] == [KeyError]


def test_port_0_becomes_a_real_port_in_the_url() -> None:
    with listening(config("127.0.0.1:0", "[::1]:0")) as (v4, v6):
        assert v4.url == f"http://127.0.0.1:{v4.socket.getsockname()[1]}"
        assert v6.url == f"http://[::1]:{v6.socket.getsockname()[1]}"


def test_sockets_are_closed_after_the_block() -> None:
    with listening(config("127.0.0.1:0")) as (listener,):
        pass
    assert listener.socket.fileno() == -1


def test_an_address_in_use_is_named_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BindError) as raised, listening(config("127.0.0.1:0", address)):
            pass
        assert raised.value.address == address
        assert str(raised.value) == f"Cannot listen on {address}: Address already in use."


@pytest.mark.parametrize("bind", ["192.0.2.1:0", "nowhere.invalid:0"])
def test_an_address_that_is_not_ours_is_named(bind: str) -> None:
    with pytest.raises(BindError, match=f"Cannot listen on {bind}: "), listening(config(bind)):
        pass


def test_a_client_that_vanishes_is_noticed_by_the_kernel() -> None:
    with listening(config("127.0.0.1:0")) as (listener,):
        assert listener.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            level = socket.IPPROTO_TCP
            assert listener.socket.getsockopt(level, socket.TCP_USER_TIMEOUT) == 60_000


def test_one_ipv6_wildcard_listens_on_ipv4_too() -> None:
    with listening(config("[::]:0")) as (listener,):
        port = listener.socket.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
