from __future__ import annotations

import json
from collections.abc import Sequence
from math import inf
from typing import Any

import trio
import trio.testing
from starlette.types import Message, Receive, Scope, Send

from cafe.serving.body import BodyLimits

GONE: Message = {"type": "http.disconnect"}


def piece(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


class Conversation:
    """One request: what the client sends and when, what the application sees, what is answered."""

    def __init__(
        self, *messages: tuple[float, Message], headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.seen: list[Message] | None = None
        self.answered: list[Message] = []
        self._messages = list(messages)
        self._headers = [(name.encode(), value.encode()) for name, value in headers]

    async def run(self, max_bytes: int = 10, seconds: float = 5.0) -> Conversation:
        scope = {"type": "http", "path": "/order/", "headers": self._headers}
        await BodyLimits(self._app, max_bytes, seconds)(scope, self._receive, self._send)
        return self

    @property
    def status(self) -> int:
        return int(self.answered[0]["status"])

    @property
    def problem(self) -> Any:
        return json.loads(self.answered[1]["body"])

    async def _app(self, _scope: Scope, receive: Receive, send: Send) -> None:
        self.seen = [await receive()]
        while self.seen[-1] != GONE and self._messages:
            self.seen.append(await receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def _receive(self) -> Message:
        if not self._messages:
            await trio.sleep(inf)
        delay, message = self._messages.pop(0)
        await trio.sleep(delay)
        return message

    async def _send(self, message: Message) -> None:
        self.answered.append(message)


LENGTH_5 = [("content-length", "5")]
CHUNKED = [("transfer-encoding", "chunked")]


async def test_a_body_reaches_the_application_as_one_message() -> None:
    told = await Conversation(
        (0, piece(b"la", more=True)), (0, piece(b"tte")), headers=LENGTH_5
    ).run()
    assert told.seen == [piece(b"latte")]
    assert told.status == 200


async def test_the_disconnect_after_the_body_reaches_the_application() -> None:
    told = await Conversation((0, piece(b"latte")), (0, GONE), headers=LENGTH_5).run()
    assert told.seen == [piece(b"latte"), GONE]


async def test_a_request_without_a_body_is_passed_on_untouched() -> None:
    told = await Conversation((0, piece(b"")), (0, GONE)).run()
    assert told.seen == [piece(b""), GONE]


async def test_an_announced_body_over_the_limit_is_413_before_it_is_read() -> None:
    told = await Conversation(headers=[("content-length", "11")]).run()
    assert told.status == 413
    assert told.problem["status"] == 413
    assert (b"connection", b"close") in told.answered[0]["headers"]
    assert told.seen is None


async def test_a_chunked_body_is_413_as_soon_as_it_is_over_the_limit() -> None:
    parts = [(0.0, piece(b"123456", more=True))] * 2
    told = await Conversation(*parts, headers=CHUNKED).run()
    assert told.status == 413
    assert told.seen is None


async def test_a_body_of_just_the_limit_passes() -> None:
    told = await Conversation((0, piece(b"x" * 10)), headers=CHUNKED).run()
    assert told.seen == [piece(b"x" * 10)]


async def test_a_slow_body_is_408_after_its_time(autojump_clock: trio.testing.MockClock) -> None:
    drops = [(2.0, piece(b"x", more=True))] * 5
    told = await Conversation(*drops, headers=LENGTH_5).run(seconds=5)
    assert told.status == 408
    assert told.problem["detail"] == "The body took longer than 5 s."
    assert (b"connection", b"close") in told.answered[0]["headers"]
    assert autojump_clock.current_time() == 5


async def test_the_application_has_no_deadline(autojump_clock: trio.testing.MockClock) -> None:
    told = await Conversation((1, piece(b"latte")), (900, GONE), headers=LENGTH_5).run(seconds=5)
    assert told.seen == [piece(b"latte"), GONE]
    assert autojump_clock.current_time() == 901


async def test_who_hangs_up_in_his_body_is_not_answered() -> None:
    told = await Conversation((0, piece(b"la", more=True)), (0, GONE), headers=LENGTH_5).run()
    assert told.seen is None
    assert told.answered == []


async def test_a_lifespan_is_passed_on() -> None:
    passed: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        passed.append(scope)

    async def receive() -> Message:
        return GONE

    async def send(_message: Message) -> None:
        return

    await BodyLimits(app)({"type": "lifespan"}, receive, send)
    assert passed == [{"type": "lifespan"}]
