"""How a connection ends, in every phase: its client leaves, it is dropped, reset or cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import structlog
import trio
from starlette.types import Message, Receive, Scope, Send

from cafe.http.disconnect import if_undelivered
from cafe.server.connection import POLL_SECONDS, READ_AHEAD, Phase
from cafe.server.socket_stream import PIECE
from tests.cafe.server.memory_door import (
    MemoryDoor,
    Parked,
    Visitor,
    echo,
    greet,
    open_memory_door,
    settle,
)
from tests.system.raw_client import GET
from tests.system.tiny_server import answer

GET_LAST = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
POST = b"POST /%s HTTP/1.1\r\nHost: cafe\r\nContent-Length: 10\r\n\r\nhalf"


@dataclass
class Stage:
    """An application that waits wherever one can, by path; and what became of each wait."""

    parked: Parked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/park":
            await self.parked(scope, receive, send)
        elif scope["path"] == "/sleep":
            await trio.sleep(1)
            await answer(send, b"slept")
        elif scope["path"] == "/read":
            await echo(scope, receive, send)
        else:
            await greet(scope, receive, send)


# What a client sends, and the phase in which it waits then.
PHASES: dict[str, tuple[bytes, Phase]] = {
    "fresh": (b"", Phase.FRESH),
    "an empty line": (b"\r\n\r", Phase.FRESH),
    "head": (b"GET / HT", Phase.HEAD),
    "parked": (GET.replace(b"/ ", b"/park "), Phase.ANSWERING),
    "not listening": (GET.replace(b"/ ", b"/sleep "), Phase.ANSWERING),
    "reading": (POST % b"read", Phase.ANSWERING),
    "discarding": (POST % b"", Phase.ANSWERING),
    "sending": (b"deaf" + GET, Phase.ANSWERING),
    "idle": (GET, Phase.IDLE),
    "head, later": (GET + b"GET / HT", Phase.HEAD),
    "lingering": (GET_LAST, Phase.LINGERING),
    "lingering after a bad request": (b"\0", Phase.LINGERING),
}
in_every_phase = pytest.mark.parametrize(("raw", "phase"), PHASES.values(), ids=PHASES)


async def arrive(door: MemoryDoor, raw: bytes, phase: Phase) -> Visitor:
    """Have a client come to this phase."""
    visitor = door.visit()
    if raw.startswith(b"deaf"):
        visitor.transport.stop_taking()
    await visitor.say(raw.removeprefix(b"deaf"))
    await settle()
    assert visitor.connection._phase is phase  # pyright: ignore[reportPrivateUsage] - not a promise
    return visitor


def drop(visitor: Visitor) -> None:
    visitor.connection.drop()


def abort(visitor: Visitor) -> None:
    visitor.connection.transport.abort()


async def how_it_ends(raw: bytes, phase: Phase, end: Callable[[Visitor], None]) -> float:
    """Return the seconds until the connection has ended; a request meanwhile must be served."""
    with structlog.testing.capture_logs() as logs:
        async with open_memory_door(Stage(Parked())) as door:
            visitor, other = await arrive(door, raw, phase), door.visit()
            began = trio.current_time()
            end(visitor)
            end(visitor)
            assert (await other.ask(GET_LAST)).body == b"/"
            await visitor.hear_all()
            await visitor.ended.wait()
            took = trio.current_time() - began
            assert visitor.transport.closed
            assert door.admission.forgotten
        assert door.admission.isolated == 0
    assert {log["event"] for log in logs} <= {"application failed", "request refused"}
    return took


@in_every_phase
@pytest.mark.schedules
async def test_a_reset_ends_it_in_every_phase(raw: bytes, phase: Phase) -> None:
    took = await how_it_ends(raw, phase, abort)
    assert took == (1 if b"/sleep" in raw else 0)  # an application that does not listen goes on


@in_every_phase
@pytest.mark.schedules
async def test_a_drop_closes_idle_connections_only(raw: bytes, phase: Phase) -> None:
    async with open_memory_door(Stage(Parked())) as door:
        visitor = await arrive(door, raw, phase)
        assert visitor.connection.is_idle() is (phase in {Phase.FRESH, Phase.HEAD, Phase.IDLE})
        visitor.connection.drop()
        await settle()
        is_open = phase in {Phase.ANSWERING, Phase.LINGERING}
        assert visitor.ended.is_set() is not is_open
        assert not visitor.transport.aborted
        if not is_open:
            assert b"HTTP/1.1 4" not in await visitor.hear_all()


@in_every_phase
@pytest.mark.schedules
async def test_a_server_that_is_cancelled_leaves_nothing_open(raw: bytes, phase: Phase) -> None:
    async with open_memory_door(Stage(Parked())) as door:
        await arrive(door, raw, phase)
        await arrive(door, raw, phase)
        door.visit()  # whose task has not even begun
        door.nursery.cancel_scope.cancel()
    assert door.admission.isolated == 0


@in_every_phase
@pytest.mark.schedules
async def test_a_client_may_leave_in_every_phase(raw: bytes, phase: Phase) -> None:
    async with open_memory_door(Stage(Parked())) as door:
        visitor = await arrive(door, raw, phase)
        await visitor.leave()
        await visitor.ended.wait()
        assert trio.current_time() == (1 if b"/sleep" in raw else 0)
    assert door.admission.isolated == 0


@pytest.mark.parametrize("behind", [b"", GET * 3, GET[:7], b"\r\n" * 1000])
@pytest.mark.schedules
async def test_a_disconnect_is_received_at_once_also_behind_pipelined_bytes(behind: bytes) -> None:
    parked = Parked()
    async with open_memory_door(parked) as door:
        visitor = door.visit()
        await visitor.say(GET + behind)
        await trio.sleep(900)
        await visitor.leave()
        await settle()
        assert parked.left_at == [900]
        assert parked.waiting == 0
        assert parked.heard[-1] == {"type": "http.disconnect"}


@pytest.mark.schedules(20)
async def test_what_is_read_ahead_is_bounded_and_a_disconnect_behind_it_is_polled_for() -> None:
    parked = Parked()
    async with open_memory_door(parked) as door:
        visitor = door.visit()
        await visitor.say(GET + b"x" * 10 * READ_AHEAD)
        await trio.sleep(900)
        assert visitor.transport.taken < len(GET) + READ_AHEAD + PIECE
        await visitor.leave()
        await trio.sleep(POLL_SECONDS)
        await settle()
        assert parked.waiting == 0


@pytest.mark.schedules(20)
async def test_what_was_read_ahead_is_served_next() -> None:
    parked = Parked()
    async with open_memory_door(parked) as door:
        visitor = door.visit()
        await visitor.say(GET + GET[:9])
        await settle()
        parked.released.set()
        await visitor.say(GET[9:])
        assert [(await visitor.hear()).body for _ in range(2)] == [b"coffee"] * 2


@pytest.mark.schedules
async def test_a_closing_server_ends_responses_with_a_close_and_drops_idle_connections() -> None:
    parked = Parked()
    async with open_memory_door(parked) as door:
        customer, idle, silent = door.visit(), door.visit(), door.visit()
        await customer.say(GET * 2)
        parked.released.set()
        await customer.hear()
        parked.released = trio.Event()
        await idle.say(GET)
        await settle()
        door.close()
        assert await silent.hear_all() == b""
        parked.released.set()
        for visitor in (idle, customer):
            last = await visitor.hear()
            assert (last.body, last.headers[b"connection"]) == (b"coffee", b"close")
            assert await visitor.hear_all() == b""


@pytest.mark.schedules
async def test_a_response_that_has_started_before_the_server_closes_is_the_last_as_well() -> None:
    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await trio.sleep(1)
        await send({"type": "http.response.body", "body": b"last"})

    async with open_memory_door(stream) as door:
        visitor = door.visit()
        await visitor.say(GET)
        await settle()
        door.close()
        assert (await visitor.hear()).body == b"firstlast"
        await visitor.hear_all()
        assert trio.current_time() == 1


@pytest.mark.schedules
async def test_an_undelivered_response_calls_back_and_a_delivered_one_does_not() -> None:
    lost: list[str] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        await trio.sleep(1)
        if_undelivered(scope, lambda: lost.append(scope["path"]))
        await answer(send, b"coffee")

    async with open_memory_door(app) as door:
        gone, still_reads, here = door.visit(), door.visit(), door.visit()
        for visitor in door.visitors:
            await visitor.say(GET.replace(b"/ ", b"/%d " % door.visitors.index(visitor)))
        await settle()
        await gone.leave()
        await still_reads.half_close()
        for visitor in (still_reads, here):
            assert (await visitor.hear()).body == b"coffee"
        assert await still_reads.hear_all() == b""
        await gone.ended.wait()
        assert lost == ["/0"]


@pytest.mark.schedules
async def test_sending_to_a_client_that_has_left_does_nothing() -> None:
    ended: list[Message] = []

    async def talk(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        ended.append(await receive())
        await send({"type": "http.response.start", "status": 200})
        for _ in range(9):
            await send({"type": "http.response.body", "body": b"drop", "more_body": True})
        await send({"type": "http.response.body"})
        ended.append(await receive())

    with structlog.testing.capture_logs() as logs:
        async with open_memory_door(talk) as door:
            visitor = door.visit()
            await visitor.say(GET)
            await settle()
            await visitor.leave()
    assert ended == [{"type": "http.disconnect"}] * 2
    assert logs == []


@pytest.mark.parametrize("body", [b"", b"la"])
@pytest.mark.schedules
async def test_nothing_is_written_to_a_client_that_has_left_whatever_the_application_sends(
    body: bytes,
) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.start", "status": 499})
        await send({"type": "http.response.body"})

    async with open_memory_door(app) as door:
        visitor = door.visit()
        length = b"Host: cafe\r\nContent-Length: %d" % (len(body) + 1 if body else 0)
        await visitor.say(GET.replace(b"Host: cafe", length) + body)
        await settle()
        await visitor.half_close()
        assert await visitor.hear_all() == b""
