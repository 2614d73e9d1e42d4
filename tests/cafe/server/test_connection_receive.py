"""What an application receives besides a body: whether it comes at all, and when nobody listens."""

from __future__ import annotations

import pytest
import structlog
import trio
from starlette.types import Message, Receive, Scope, Send

from tests.cafe.server.memory_door import echo, greet, open_memory_door, settle
from tests.cafe.server.test_connection_bodies import CHUNKED, chunked, post
from tests.system.door import GET, answer, read_body

EXPECT = b"POST / HTTP/1.1\r\nHost: cafe\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
DISCONNECT = {"type": "http.disconnect"}


@pytest.mark.schedules
async def test_who_asks_whether_to_go_on_is_told_to_when_his_body_is_wanted() -> None:
    async with open_memory_door(echo) as door:
        visitor = door.visit()
        await visitor.say(EXPECT)
        assert await visitor.stream.receive_some() == GO_ON
        assert (await visitor.ask(b"milk", "POST")).body == b"milk"
        await visitor.say(EXPECT + b"milk" + GET)  # he did not wait
        assert (await visitor.hear("POST")).body == b"milk"
        assert (await visitor.hear()).body == b"/"


@pytest.mark.schedules
async def test_who_asks_whether_to_go_on_and_is_not_told_to_has_his_last_answer() -> None:
    async with open_memory_door(greet) as door:
        visitor = door.visit()
        await visitor.say(EXPECT)
        heard = await visitor.hear_all()
        assert heard.startswith(b"HTTP/1.1 200")
        assert b"\r\nconnection: close\r\n" in heard


@pytest.mark.schedules
async def test_nobody_is_told_to_go_on_in_the_middle_of_an_answer() -> None:
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
async def test_who_stops_receiving_while_the_client_does_not_read_cuts_him_off() -> None:
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
async def test_the_end_of_an_answer_is_a_disconnect_to_who_receives_then_and_later(
    raw: bytes, pause: float
) -> None:
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
        if heard == GO_ON:
            heard = await visitor.stream.receive_some()
        await trio.sleep(0.5)
        assert received[-2:] == [DISCONNECT] * 2
        assert heard.endswith(b"\r\n\r\ncoffee")
        assert trio.current_time() == pause + 0.5


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.schedules(20)
async def test_who_begins_to_receive_while_the_answer_ends_is_not_forgotten(turns: int) -> None:
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
async def test_after_its_answer_an_application_gets_no_body_that_it_has_not_read() -> None:
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
async def test_a_client_that_leaves_in_his_body_is_a_disconnect() -> None:
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
