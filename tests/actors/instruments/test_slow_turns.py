"""The instrument that logs slow turns: which turns it logs, and the text of the line."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio

from actors import ActorCrashed, Message, open_system
from actors.instruments.slow_turns import SlowTurns
from actors.testing import Probe, settle
from tests.actors.counter import No
from tests.actors.instruments.works import (
    Keep,
    Stopwatch,
    Wait,
    Work,
    WorkElsewhere,
    Works,
    crashed,
    refused,
)

pytestmark = pytest.mark.schedules(10)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings about slow turns, and no others."""
    return [one.getMessage() for one in caplog.records if " s to handle " in one.getMessage()]


async def scenario(*messages: Message[Works, Any], limit: float = 0.1) -> None:
    stopwatch = Stopwatch()
    async with open_system(instruments=[SlowTurns(limit, clock=stopwatch)]) as system:
        works = await system.start(partial(Works, stopwatch), name="works")
        for message in messages:
            with suppress(No, ActorCrashed), trio.move_on_after(60):
                await works.ask(message)


@pytest.mark.parametrize("message", [Work(0.25), refused(0.25), crashed(0.25), Keep(0.25)])
async def test_a_slow_turn_is_logged_with_actor_type_and_seconds(
    message: Message[Works, Any], caplog: pytest.LogCaptureFixture
) -> None:
    await scenario(message)
    assert logged(caplog) == [f"works took 0.250 s to handle {type(message).__name__}"]
    (record,) = [one for one in caplog.records if " s to handle " in one.getMessage()]
    assert (record.name, record.levelname) == ("actors", "WARNING")


async def test_the_content_of_a_message_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    await scenario(Work(0.25, secret="open-sesame"))
    assert len(logged(caplog)) == 1
    assert "open-sesame" not in caplog.text


async def test_a_turn_that_took_no_longer_than_the_limit_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await scenario(Work(0.5), Work(0.5078125), Work(0.25), limit=0.5)
    assert logged(caplog) == ["works took 0.508 s to handle Work"]


async def test_a_tenth_of_a_second_is_the_limit_where_none_is_given(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stopwatch = Stopwatch()
    async with open_system(instruments=[SlowTurns(clock=stopwatch)]) as system:
        works = await system.start(partial(Works, stopwatch), name="works")
        await works.ask(Work(0.09))
        await works.ask(Work(0.11))
    assert logged(caplog) == ["works took 0.110 s to handle Work"]


async def test_each_slow_turn_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    await scenario(*[Work(0.25)] * 3)
    assert len(logged(caplog)) == 3


async def test_a_probe_stands_in_for_the_actor_of_a_turn(caplog: pytest.LogCaptureFixture) -> None:
    probe, stopwatch = Probe(Works, name="probe"), Stopwatch()
    slow_turns = SlowTurns(clock=stopwatch)
    for message in (Work(0.25), Wait(0.25)):
        slow_turns.started(probe, message)
        stopwatch.taken += 0.25
        slow_turns.finished(probe, message)
    assert logged(caplog) == ["probe took 0.250 s to handle Work"]


async def test_an_async_handler_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    await scenario(Wait(5), Wait(5, working=5))
    assert logged(caplog) == []


async def test_a_quick_turn_after_a_long_wait_is_quick(caplog: pytest.LogCaptureFixture) -> None:
    await scenario(Wait(5), Work(0))
    assert logged(caplog) == []


async def test_a_turn_beside_an_async_handler_is_logged_with_its_own_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stopwatch = Stopwatch()
    async with open_system(instruments=[SlowTurns(clock=stopwatch)]) as system:
        works = await system.start(partial(Works, stopwatch), name="works")
        waiting = await system.start(partial(Works, stopwatch), name="waiting")
        await waiting.tell(Wait(5))
        await settle()
        await works.ask(Work(0.25))
        await works.ask(Work(0))
        await waiting.ask(WorkElsewhere(works, 0.5))
    assert logged(caplog) == [
        "works took 0.250 s to handle Work",
        "works took 0.500 s to handle Work",
    ]
