from __future__ import annotations

import pytest
import trio
import trio.testing
from starlette.types import Receive, Scope, Send

from cafe.server.config import DoorConfig
from cafe.server.lifespan import LifespanError, started


async def test_the_block_runs_between_start_up_and_shutdown() -> None:
    happened: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["menu"] = "americano"
        for _ in range(2):
            event = (await receive())["type"]
            happened.append(event)
            await send({"type": f"{event}.complete"})

    async with started(app, DoorConfig()) as state:
        happened.append(str(state["menu"]))
    assert happened == ["lifespan.startup", "americano", "lifespan.shutdown"]


async def test_nothing_runs_after_a_start_up_that_failed() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await trio.lowlevel.checkpoint()
        await send({"type": "lifespan.startup.failed", "message": "no beans"})

    with pytest.raises(ExceptionGroup) as raised:
        async with started(app, DoorConfig()):
            pytest.fail("served all the same")
    assert raised.group_contains(LifespanError, match="no beans")


async def test_an_application_without_a_lifespan_is_served() -> None:
    async def returns(scope: Scope, receive: Receive, send: Send) -> None:
        """Have none."""

    async def raises(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise NotImplementedError

    for app in (returns, raises):
        async with started(app, DoorConfig()) as state:
            assert state == {}


async def test_an_application_that_never_says_that_it_has_started_is_not_served(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as raised:
        async with started(app, DoorConfig()):
            pytest.fail("served all the same")
    assert raised.group_contains(LifespanError, match="took more than")
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
        async with started(app, DoorConfig()):
            raise KeyError("the port is in use")
    assert [type(one) for one in raised.value.exceptions] == [KeyError]
