"""One line and one observation a request, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
import structlog
import trio
from prometheus_client import CollectorRegistry
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict

from cafe.http.request_log import RequestLog, RequestMetrics


class Route:
    path = "/order/{order_id}/"


def request_scope(**members: Any) -> Scope:
    usual: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [],
        "client": ("::1", 4711),
    }
    return usual | members


async def receive() -> Message:
    await trio.sleep_forever()
    raise AssertionError


class Recorder:
    """Takes what is sent."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def sent() -> Recorder:
    return Recorder()


@pytest.fixture
def lines() -> Generator[list[EventDict]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


def log_of(app: ASGIApp, registry: CollectorRegistry) -> RequestLog:
    return RequestLog(app, name="client", metrics=RequestMetrics(registry))


@pytest.mark.schedules(1)
async def test_a_request_is_one_line_and_one_observation(
    registry: CollectorRegistry, sent: Recorder, lines: list[EventDict]
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route
        scope["state"]["address"] = "192.0.2.1"
        await trio.sleep(1.5)
        await Response(b"", 202)(scope, receive, send)

    await log_of(app, registry)(request_scope(), receive, sent.send)
    (line,) = lines
    request_id = sent.headers[b"x-request-id"].decode()
    assert line == {
        "event": "request",
        "log_level": "info",
        "app": "client",
        "method": "GET",
        "route": "/order/{order_id}",
        "status": 202,
        "duration_ms": 1500.0,
        "address": "192.0.2.1",
        "request_id": request_id,
    }
    labels = {"app": "client", "route": "/order/{order_id}"}
    counted = {**labels, "method": "GET", "status": "202"}
    assert registry.get_sample_value("cafe_requests_total", counted) == 1
    assert registry.get_sample_value("cafe_request_seconds_sum", labels) == 1.5


async def test_an_attackers_imagination_makes_no_new_labels(
    registry: CollectorRegistry, sent: Recorder, lines: list[EventDict]
) -> None:
    log = log_of(Response(b"", 404), registry)
    for n in range(3):
        scope = request_scope(method=f"BREW{n}", path=f"/{n}", client=None)
        await log(scope, receive, sent.send)
    assert {(line["method"], line["route"], line["address"]) for line in lines} == {
        ("OTHER", "(none)", "unknown")
    }
    labels = {"app": "client", "method": "OTHER", "route": "(none)", "status": "404"}
    assert registry.get_sample_value("cafe_requests_total", labels) == 3


@pytest.mark.parametrize("given", [b"a", b"A.b_c:d-9", b"x" * 64])
async def test_a_sane_id_is_taken(
    registry: CollectorRegistry, sent: Recorder, given: bytes
) -> None:
    scope = request_scope(headers=[(b"x-request-id", given)])
    await log_of(Response(), registry)(scope, receive, sent.send)
    assert sent.headers[b"x-request-id"] == given


@pytest.mark.parametrize("given", [b"", b"x" * 65, b"a b", b'"', b"a\nb", b"a\n", b"\xff"])
async def test_any_other_id_is_made(
    registry: CollectorRegistry, sent: Recorder, given: bytes
) -> None:
    scope = request_scope(headers=[(b"x-request-id", given)])
    await log_of(Response(), registry)(scope, receive, sent.send)
    assert len(sent.headers[b"x-request-id"]) == 16


@pytest.mark.schedules(1)
async def test_a_request_that_is_cut_off_is_a_line_too(
    registry: CollectorRegistry, sent: Recorder, lines: list[EventDict]
) -> None:
    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()

    with trio.move_on_after(1):
        await log_of(app, registry)(request_scope(), receive, sent.send)
    assert [(line["event"], line["status"]) for line in lines] == [("request", 0)]
    assert sent.messages == []


async def test_a_bug_after_the_answer_has_begun_sends_no_second_one(
    registry: CollectorRegistry, sent: Recorder, lines: list[EventDict]
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    await log_of(app, registry)(request_scope(), receive, sent.send)
    assert [message["type"] for message in sent.messages] == ["http.response.start"]
    assert [line["event"] for line in lines] == ["bug", "request"]


async def test_what_is_no_request_is_passed_on_and_not_logged(
    registry: CollectorRegistry, sent: Recorder, lines: list[EventDict]
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})

    await log_of(app, registry)({"type": "lifespan"}, receive, sent.send)
    assert sent.messages == [{"type": "lifespan.startup.complete"}]
    assert lines == []
