"""Noticing that the client has disconnected, under many schedules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from starlette.requests import Request
from starlette.types import Message

from cafe.http.disconnect import unless_disconnected
from cafe.http.refusals import CafeRefusal


class Line:
    """A connection on which the client may disconnect."""

    def __init__(self) -> None:
        self.disconnected = trio.Event()
        self.rest = [{"type": "http.request", "body": b"", "more_body": False}]

    @property
    def request(self) -> Request:
        return Request({"type": "http"}, self.receive)

    async def receive(self) -> Message:
        if self.rest:
            return self.rest.pop()
        await self.disconnected.wait()
        return {"type": "http.disconnect"}


def giving(result: str, after: float) -> Callable[[], Awaitable[str]]:
    async def work() -> str:
        await trio.sleep(after)
        return result

    return work


@pytest.mark.schedules(5)
async def test_the_result_of_the_work_is_returned() -> None:
    assert await unless_disconnected(Line().request, giving("coffee", after=900)) == "coffee"


@pytest.mark.schedules(5)
async def test_the_work_is_cancelled_when_the_client_disconnects() -> None:
    line, cancelled = Line(), trio.Event()

    async def work() -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            cancelled.set()
            raise
        raise AssertionError

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hang_up, line, 5.0)
        assert await unless_disconnected(line.request, work) is None
    assert cancelled.is_set()
    assert trio.current_time() - began == 5.0


async def hang_up(line: Line, after: float) -> None:
    await trio.sleep(after)
    line.disconnected.set()


@pytest.mark.schedules(5)
async def test_a_refusal_is_raised_as_it_is() -> None:
    async def work() -> str:
        await trio.sleep(1)
        raise CafeRefusal("No.")

    with pytest.raises(CafeRefusal, match=r"No\."):
        await unless_disconnected(Line().request, work)


@pytest.mark.schedules(5)
async def test_a_cancellation_from_outside_is_passed_on() -> None:
    with trio.move_on_after(3) as scope:
        await unless_disconnected(Line().request, giving("coffee", after=900))
        raise AssertionError
    assert scope.cancelled_caught


@pytest.mark.schedules
async def test_work_that_ends_as_the_client_disconnects_is_returned_or_was_never_done() -> None:
    line, made = Line(), list[str]()

    async def work() -> str:
        await trio.lowlevel.checkpoint()
        made.append("coffee")
        return "coffee"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hang_up, line, 0)
        given = await unless_disconnected(line.request, work)
    assert made == ([] if given is None else [given])
