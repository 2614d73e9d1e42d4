"""What an application receives, bodies within their limits and the disconnect, and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import structlog
import trio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cafe.server.exchange import CONTINUE, MAX_BODY, allow_body
from cafe.server.request import BadRequest
from cafe.server.socket_stream import PIECE
from tests.cafe.server.memory_door import echo, greet, open_memory_door, settle
from tests.system.raw_client import GET
from tests.system.tiny_server import answer, read_body

CHUNKED = b"POST / HTTP/1.1\r\nHost: cafe\r\nTransfer-Encoding: chunked\r\n\r\n"
EXPECT = b"POST / HTTP/1.1\r\nHost: cafe\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
DISCONNECT = {"type": "http.disconnect"}


def post(body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return b"POST / HTTP/1.1\r\nHost: cafe\r\nContent-Length: %d\r\n\r\n%s" % (size, body)


def chunked(body: bytes) -> bytes:
    return CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("frame", [post, chunked])
@pytest.mark.schedules(20)
async def test_only_as_much_of_a_body_is_taken_as_the_application_asks_for(
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
async def test_a_bad_body_breaks_off_a_response_that_has_started() -> None:
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


@pytest.mark.schedules
async def test_100_continue_is_sent_when_the_body_is_received() -> None:
    async with open_memory_door(echo) as door:
        visitor = door.visit()
        await visitor.say(EXPECT)
        assert await visitor.stream.receive_some() == CONTINUE
        assert (await visitor.ask(b"milk", "POST")).body == b"milk"
        await visitor.say(EXPECT + b"milk" + GET)  # it did not wait
        assert (await visitor.hear("POST")).body == b"milk"
        assert (await visitor.hear()).body == b"/"


@pytest.mark.schedules
async def test_a_response_without_100_continue_is_the_last_to_a_client_that_expects_it() -> None:
    async with open_memory_door(greet) as door:
        visitor = door.visit()
        await visitor.say(EXPECT)
        heard = await visitor.hear_all()
        assert heard.startswith(b"HTTP/1.1 200")
        assert b"\r\nconnection: close\r\n" in heard


@pytest.mark.schedules
async def test_100_continue_is_not_sent_in_the_middle_of_a_response() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await read_body(receive)
        await send({"type": "http.response.body", "body": b"whole"})

    async with open_memory_door(app) as door:
        visitor = door.visit()
        await visitor.say(EXPECT)
        await settle()
        await visitor.say(b"milk")
        assert (await visitor.hear("POST")).body == b"halfwhole"
        assert await visitor.hear_all() == b""


@pytest.mark.schedules(20)
async def test_a_receive_that_is_cancelled_while_the_client_does_not_read_resets_it() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        with trio.move_on_after(1):
            await receive()
        await answer(send, b"coffee")

    async with open_memory_door(app) as door:
        visitor = door.visit()
        visitor.transport.stop_taking()
        await visitor.say(EXPECT)
        await visitor.ended.wait()
        assert visitor.transport.aborted
        assert trio.current_time() == 1


@pytest.mark.parametrize("raw", [GET, post(b"lat", 5), CHUNKED, EXPECT, post(b"latte") + GET[:9]])
@pytest.mark.parametrize("pause", [0, 1])
@pytest.mark.schedules
async def test_after_the_response_receive_returns_a_disconnect(raw: bytes, pause: float) -> None:
    received: list[Message] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            while (message := await receive()) != DISCONNECT:
                received.append(message)
            received.append(message)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await trio.sleep(pause)
            await answer(send, b"coffee")
        received.append(await receive())

    async with open_memory_door(app) as door:
        visitor = door.visit()
        await visitor.say(raw)
        heard = await visitor.stream.receive_some()
        if heard == CONTINUE:
            heard = await visitor.stream.receive_some()
        await trio.sleep(0.5)
        assert received[-2:] == [DISCONNECT] * 2
        assert heard.endswith(b"\r\n\r\ncoffee")
        assert trio.current_time() == pause + 0.5


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.schedules(20)
async def test_a_receive_that_begins_while_the_response_ends_returns(turns: int) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            for _ in range(turns):
                await trio.lowlevel.checkpoint()
            assert (await receive()) == DISCONNECT

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await answer(send, b"coffee")

    async with open_memory_door(app) as door:
        visitor = door.visit()
        await visitor.say(CHUNKED)
        assert (await visitor.hear("POST")).body == b"coffee"
        await settle()
        await visitor.say(b"0\r\n\r\n")
        assert trio.current_time() == 0
        assert (await visitor.ask(CHUNKED, "POST")).body == b"coffee"


@pytest.mark.schedules
async def test_after_its_response_an_application_receives_nothing_of_the_body() -> None:
    received: list[Message] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"coffee")
        received.append(await receive())

    async with open_memory_door(app) as door:
        visitor = door.visit()
        for raw in (post(b"latte"), chunked(b"latte"), post(b"lat", 5)):
            await visitor.say(raw)
            assert (await visitor.hear("POST")).body == b"coffee"
    assert received == [DISCONNECT] * 3


@pytest.mark.schedules
async def test_a_client_that_leaves_in_its_body_is_a_disconnect() -> None:
    received: list[Message] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        while not received or received[-1] != DISCONNECT:
            received.append(await receive())
        received.append(await receive())

    with structlog.testing.capture_logs() as logs:
        async with open_memory_door(app) as door:
            visitor = door.visit()
            await visitor.say(post(b"lat", 5))
            await settle()
            await visitor.leave()
    assert received[1:] == [DISCONNECT] * 2
    assert logs == []


@pytest.mark.schedules
async def test_what_an_application_does_to_its_headers_is_not_seen_by_the_next_request() -> None:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        names = b" ".join(name for name, _ in scope["headers"])
        scope["headers"].clear()
        await answer(send, names)

    async with open_memory_door(app) as door:
        for visitor in (door.visit(), door.visit()):
            for _ in range(2):
                assert (await visitor.ask(GET)).body == b"host"
