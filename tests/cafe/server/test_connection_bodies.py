"""Bodies on a connection: as fast as they are asked for, within their limits, and whole or not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import structlog
import trio
from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.server.exchange import MAX_BODY, allow_body
from cafe.server.request import BadRequest
from cafe.server.socket_stream import PIECE
from tests.cafe.server.memory_door import echo, greet, open_memory_door, settle
from tests.system.door import GET, answer, read_body

CHUNKED = b"POST / HTTP/1.1\r\nHost: cafe\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return b"POST / HTTP/1.1\r\nHost: cafe\r\nContent-Length: %d\r\n\r\n%s" % (size, body)


def chunked(body: bytes) -> bytes:
    return CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("frame", [post, chunked])
@pytest.mark.schedules(20)
async def test_no_more_of_a_body_is_taken_than_the_application_asks_for(
    frame: Callable[[bytes], bytes],
) -> None:
    asked = trio.Semaphore(0)
    given: list[bytes] = []

    async def slowly(scope: Scope, receive: Receive, send: Send) -> None:
        allow_body(scope, 2**24)
        more = True
        while more:
            await asked.acquire()
            message = await receive()
            given.append(message["body"])
            more = message["more_body"]
        await answer(send, b"".join(given))

    body = bytes(range(256)) * 4096
    async with open_memory_door(slowly) as door:
        visitor = door.visit()
        await visitor.say(frame(body) + GET[:5])
        for count in range(100):
            await settle()
            assert visitor.transport.taken <= sum(map(len, given)) + PIECE + 2000
            assert len(given) == min(count, len(given))
            asked.release()
        assert (await visitor.hear("POST")).body == body


@pytest.mark.schedules(20)
async def test_a_body_may_be_cut_anywhere() -> None:
    async with open_memory_door(echo) as door:
        for raw in (post(b"latte"), CHUNKED + b"3;a=b\r\nlat\r\n2\r\nte\r\n0\r\nX: y\r\n\r\n"):
            visitor = door.visit()
            for byte in raw + raw:
                await visitor.say(bytes([byte]))
                await settle()
            assert [(await visitor.hear("POST")).body for _ in range(2)] == [b"latte"] * 2


@pytest.mark.parametrize("app", [echo, greet])
@pytest.mark.parametrize(
    "raw", [post(b"x" * 60_000), chunked(b"x" * 60_000)], ids=["post", "chunk"]
)
@pytest.mark.schedules(20)
async def test_whether_a_body_is_read_or_not_the_next_request_is_what_follows_it(
    raw: bytes, app: ASGIApp
) -> None:
    async with open_memory_door(app) as door:
        visitor = door.visit()
        await visitor.say(raw + GET.replace(b"/ ", b"/next "))
        assert (await visitor.hear("POST")).status == 200
        assert (await visitor.hear()).body == b"/next"


async def wrap(receive: Receive, _send: Send) -> None:
    """Read the body as an application with tasks does: what is raised comes out in a group."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_body, receive)


async def hide(receive: Receive, _send: Send) -> None:
    """Fail for a reason of one's own when the body fails."""
    try:
        await read_body(receive)
    except BadRequest:
        raise RuntimeError("secret") from None


async def swallow(receive: Receive, _send: Send) -> None:
    """Say nothing about it."""
    with suppress(BadRequest):
        await read_body(receive)


async def answer_as_it_says(receive: Receive, send: Send) -> None:
    """Answer as FastAPI does for an HTTPException."""
    try:
        await read_body(receive)
    except BadRequest as no:
        await send({"type": "http.response.start", "status": no.status_code, "headers": []})
        await send({"type": "http.response.body", "body": no.detail.encode()})


REFUSED = {
    "too large, as it says": (post(b"", MAX_BODY + 1), b"413"),
    "too large, as it turns out": (CHUNKED + b"fffffff\r\n" + bytes(MAX_BODY + 1), b"413"),
    "no chunk": (CHUNKED + b"zz\r\n", b"400"),
    "no chunk, later": (CHUNKED + b"1\r\nx\r\nzz\r\n", b"400"),
    "framing without end": (CHUNKED + b"1;" + b"e" * 9000, b"400"),
    "too slow": (post(b"x", 10), b"408"),
    "too slow in chunks": (CHUNKED + b"5\r\nlat", b"408"),
}


@pytest.mark.parametrize("read", [wrap, hide, swallow, answer_as_it_says])
@pytest.mark.parametrize(("raw", "status"), REFUSED.values(), ids=REFUSED)
@pytest.mark.schedules(10)
async def test_a_bad_body_is_refused_however_the_application_takes_it(
    raw: bytes, status: bytes, read: Callable[[Receive, Send], Awaitable[None]]
) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive, send)

    for settled in (False, True):  # the body comes with its head, or after it
        with structlog.testing.capture_logs() as logs:
            async with open_memory_door(app) as door:
                visitor = door.visit()
                head, _, body = raw.partition(b"\r\n\r\n")
                await visitor.say(head + b"\r\n\r\n")
                if settled:
                    await settle()
                await visitor.say(body)
                heard = await visitor.hear_all()
                assert heard.startswith(b"HTTP/1.1 " + status)
                assert b"\r\nconnection: close\r\n" in heard
                assert b"secret" not in heard
        assert logs == []


@pytest.mark.schedules(20)
async def test_a_bad_body_breaks_off_an_answer_that_has_begun() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await read_body(receive)

    async with open_memory_door(app) as door:
        visitor = door.visit()
        await visitor.say(CHUNKED)
        await settle()
        await visitor.say(b"zz\r\n")
        assert (await visitor.hear_all()).endswith(b"4\r\nhalf\r\n")


@pytest.mark.schedules(20)
async def test_a_route_may_allow_more_or_less() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        allow_body(scope, int(scope["path"][1:]))
        await answer(send, await read_body(receive))

    async with open_memory_door(app) as door:
        for most, size, status in [(9, 9, 200), (9, 10, 413), (10**6, 10**6, 200), (0, 1, 413)]:
            for frame in (post, chunked):
                visitor = door.visit()
                await visitor.say(frame(b"x" * size).replace(b"/ ", b"/%d " % most, 1))
                assert (await visitor.hear("POST")).status == status
