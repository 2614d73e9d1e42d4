"""What is said on one connection, under many schedules: requests in turn, and how they end."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import structlog
import trio
import trio.testing
from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.server.connection import DEADLINES, NEXT, Event, Phase
from tests.cafe.server.memory_door import (
    MemoryTransport,
    Parked,
    echo,
    greet,
    open_memory_door,
    settle,
)
from tests.system.raw_client import GET
from tests.system.tiny_server import answer

CLOSE = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
EVENTS = frozenset(event for _, event in NEXT)


def get(path: str) -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: cafe\r\n\r\n" % path.encode()


def post(body: bytes, more: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: cafe\r\nContent-Length: %d\r\n%s\r\n%s" % (
        len(body),
        more,
        body,
    )


def test_every_phase_is_in_the_tables_and_can_be_reached_and_left() -> None:
    assert {before for before, _ in NEXT} == set(Phase) - {Phase.LINGERING}
    assert set(NEXT.values()) == set(Phase) - {Phase.HANDSHAKE}
    assert set(Event) == EVENTS
    assert set(DEADLINES) == set(Phase) - {Phase.ANSWERING, Phase.LINGERING}


@pytest.mark.schedules
async def test_one_request_is_served_after_another() -> None:
    async with open_memory_door(echo) as door:
        visitor = door.visit()
        for path in ("/a", "/b"):
            assert (await visitor.ask(get(path))).body == path.encode()
        assert (await visitor.ask(post(b"milk"), "POST")).body == b"milk"
        assert (await visitor.ask(CLOSE)).body == b"/"
        assert await visitor.hear_all() == b""


@pytest.mark.schedules
async def test_a_head_may_come_byte_by_byte_and_after_empty_lines() -> None:
    async with open_memory_door(echo) as door:
        visitor = door.visit()
        for raw in (b"\r\n" + get("/a"), b"\r\n\r\n" + get("/b")):
            for byte in raw:
                await visitor.say(bytes([byte]))
                await settle()
            assert (await visitor.hear()).status == 200


@pytest.mark.schedules
async def test_pipelined_requests_are_answered_in_order_however_long_each_takes() -> None:
    async def dawdle(scope: Scope, receive: Receive, send: Send) -> None:
        await trio.sleep(float(scope["path"][1:] or 0))
        await echo(scope, receive, send)

    async with open_memory_door(dawdle) as door:
        visitors = [door.visit() for _ in range(3)]
        for visitor in visitors:
            await visitor.say(post(b"first").replace(b"/ ", b"/9 ") + get("/1") + get("/0") + CLOSE)
        for visitor in visitors:
            assert (await visitor.hear("POST")).body == b"first"
            assert [(await visitor.hear()).body for _ in range(2)] == [b"/1", b"/0"]


@pytest.mark.schedules(20)
async def test_other_tasks_run_between_two_pipelined_requests() -> None:
    order: list[str] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        order.append(scope["path"])
        await greet(scope, receive, send)

    async with open_memory_door(note) as door:
        crowd, other = door.visit(), door.visit()
        await crowd.say(get("/crowd") * 500)
        await other.ask(get("/other"))
        assert order.index("/other") < 20


LAST = {"close": CLOSE, "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n", "bad": b"BREW / HTTP/1.1\r\n\r\n"}


@pytest.mark.parametrize("last", LAST.values(), ids=LAST)
@pytest.mark.schedules
async def test_after_the_last_response_nothing_is_read_as_a_request(last: bytes) -> None:
    served: list[str] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        served.append(scope["path"])
        await greet(scope, receive, send)

    async with open_memory_door(note) as door:
        visitor = door.visit()
        await visitor.say(last + get("/more") * 5)
        heard = await visitor.hear_all()
        assert heard.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in heard
        assert "/more" not in served


@pytest.mark.schedules
async def test_a_connection_has_a_maximum_of_requests() -> None:
    async with open_memory_door(greet, keep_alive_max_requests=3) as door:
        visitor = door.visit()
        await visitor.say(get("/") * 9)
        answers = [await visitor.hear() for _ in range(3)]
        closes = [answer.headers.get(b"connection") for answer in answers]
        assert closes == [None, None, b"close"]
        assert await visitor.hear_all() == b""


async def say_nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """End without an answer."""


async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError("secret")


async def fail_in_a_group(_scope: Scope, _receive: Receive, _send: Send) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail, _scope, _receive, _send)
        await trio.sleep_forever()


async def say_half_a_head(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"secret")]})


async def begin_with_the_body(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.body", "body": b"secret"})


async def inject(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"location", b"/\r\nset-cookie: secret")]
    await send({"type": "http.response.start", "status": 302, "headers": headers})


async def promise_too_much(_scope: Scope, _receive: Receive, send: Send) -> None:
    await answer(send, b"secret", promised=9)


FAILING: list[ASGIApp] = [
    say_nothing,
    fail,
    fail_in_a_group,
    say_half_a_head,
    begin_with_the_body,
    inject,
    promise_too_much,
]


@pytest.mark.parametrize("app", FAILING)
@pytest.mark.schedules(20)
async def test_an_application_that_fails_before_its_response_is_answered_with_a_problem(
    app: ASGIApp,
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with open_memory_door(app) as door:
            visitor = door.visit()
            await visitor.say(GET * 2)
            answer = await visitor.hear()
            assert answer.status == 500
            assert answer.headers[b"content-type"] == b"application/problem+json"
            assert b"secret" not in answer.body
            assert await visitor.hear_all() == b""
        assert door.admission.isolated == 0
    assert [log["event"] for log in logs] == ["application failed"]
    assert f"urn:request:{logs[0]['request_id']}".encode() in answer.body


@pytest.mark.schedules(20)
async def test_an_application_that_fails_in_its_response_breaks_it_off() -> None:
    async def half(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("secret")

    with structlog.testing.capture_logs() as logs:
        async with open_memory_door(half) as door:
            visitor = door.visit()
            await visitor.say(GET * 2)
            assert (await visitor.hear_all()).endswith(b"\r\n\r\n4\r\nhalf\r\n")
    assert [log["event"] for log in logs] == ["application failed"]


@pytest.mark.schedules(20)
async def test_an_application_that_fails_after_its_response_closes_the_connection() -> None:
    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await greet(scope, receive, send)
        raise RuntimeError("secret")

    with structlog.testing.capture_logs():
        async with open_memory_door(late) as door:
            visitor = door.visit()
            await visitor.say(GET * 2)
            assert (await visitor.hear()).body == b"/"
            assert await visitor.hear_all() == b""


@pytest.mark.schedules(20)
async def test_a_failure_in_the_server_ends_one_connection_and_is_counted_and_logged() -> None:
    class Planted(float):
        def __radd__(self, other: float) -> float:
            raise RuntimeError("planted")

    parked = Parked()
    with structlog.testing.capture_logs() as logs:
        async with open_memory_door(parked) as door:
            customer = door.visit()
            await customer.say(GET)
            await settle()
            door.context.config.head_timeout = Planted()
            assert await door.visit().hear_all() == b""
            parked.released.set()
            assert (await customer.hear()).body == b"coffee"
            assert door.admission.isolated == 1
    assert [log["event"] for log in logs] == ["connection isolated"]


class Stop(BaseException):
    """Like KeyboardInterrupt: more than an Exception."""


ANYTHING_ELSE = (Stop, BaseExceptionGroup)
FAILURES: dict[str, tuple[BaseException, bool, bool]] = {
    "an exception": (ValueError("x"), True, False),
    "a group of exceptions": (ExceptionGroup("two", [ValueError("x"), OSError("y")]), True, False),
    "more than an exception": (Stop(), False, True),
    "a group without an exception": (BaseExceptionGroup("only", [Stop()]), False, True),
    "a mixed group": (
        BaseExceptionGroup("outer", [BaseExceptionGroup("inner", [Stop(), ValueError("x")])]),
        True,
        True,
    ),
}


@pytest.mark.parametrize(("error", "logged", "raised"), FAILURES.values(), ids=FAILURES)
@pytest.mark.schedules(5)
async def test_exceptions_end_with_the_connection_and_anything_else_propagates(
    error: BaseException, *, logged: bool, raised: bool
) -> None:
    class Failing(MemoryTransport):
        async def receive_some(self, max_bytes: int | None = None) -> bytes:  # noqa: ARG002
            raise error

    with structlog.testing.capture_logs() as logs:
        async with open_memory_door(greet) as door:
            transport = Failing(trio.testing.memory_stream_pair()[0])
            connection = door.let_in(transport)
            with pytest.raises(ANYTHING_ELSE) if raised else nullcontext() as caught:
                await connection.run()
            assert transport.closed
            assert door.admission.isolated == logged
    assert [log["event"] for log in logs] == ["connection isolated"] * logged
    if caught is not None and caught.type is not Stop:
        assert not caught.group_contains(Exception)


@pytest.mark.schedules(20)
async def test_a_streamed_response_is_sent_piece_by_piece_and_lets_other_tasks_run() -> None:
    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        for _ in range(100):
            await send({"type": "http.response.body", "body": b"drop", "more_body": True})
        await released.wait()
        await send({"type": "http.response.body", "body": b"last"})

    released = trio.Event()
    async with open_memory_door(stream) as door:
        visitor = door.visit()
        await visitor.say(GET)
        heard = b""
        while heard.count(b"drop") < 100:
            heard += await visitor.stream.receive_some()
        released.set()
        assert await visitor.stream.receive_some() == b"4\r\nlast\r\n0\r\n\r\n"
