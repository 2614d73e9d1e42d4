"""What hypercorn's `worker_serve` does with the application's lifespan, and with ours around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from hypercorn.trio import run
from hypercorn.utils import LifespanFailureError, LifespanTimeoutError
from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.limits.admission import Admission
from cafe.server.config import DoorConfig
from cafe.server.serve import serve
from tests.system.door import GET, answer, ask


def config() -> DoorConfig:
    config = DoorConfig()
    config.bind = "127.0.0.1:0"
    return config


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncGenerator[str]:
    """Serve `app` around the block, stop it gracefully after; give its URL."""
    stop = trio.Event()

    async def run(task_status: trio.TaskStatus[list[str]]) -> None:
        await serve(
            app,
            config(),
            Admission(None, 10),
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
            await answer(send, b"coffee")
            return
        scope["state"]["menu"] = "americano"
        for _ in range(2):
            event = (await receive())["type"]
            happened.append(event)
            await send({"type": f"{event}.complete"})

    async with served(app) as url:
        assert await get(url) == b"coffee"
    assert happened == ["lifespan.startup", "americano", "lifespan.shutdown"]


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


async def test_an_application_that_never_says_that_it_has_started_is_not_served(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as raised:
        async with served(app):
            pytest.fail("served all the same")
    assert raised.group_contains(LifespanTimeoutError)
    assert autojump_clock.current_time() == pytest.approx(DoorConfig().startup_timeout)


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
