"""What the outer layer does for every request: one path, one id, one log line, its metrics."""

from __future__ import annotations

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
import trio
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict

from cafe.http.outer_layer import OuterLayer, RequestMetrics, bare_path, shown_path
from tests.cafe.http.layers import with_outer_layer

PREFIX = "/api/v1/client"


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
    """Keeps the messages that are sent."""

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


def layer_around(app: ASGIApp, registry: CollectorRegistry) -> OuterLayer:
    return OuterLayer(app, PREFIX, name="client", metrics=RequestMetrics(registry))


@pytest.mark.schedules(1)
async def test_a_request_makes_one_log_line_and_one_observation(
    registry: CollectorRegistry, sent: Recorder, lines: list[EventDict]
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route
        scope["state"]["address"] = "192.0.2.1"
        await trio.sleep(1.5)
        await Response(b"", 202)(scope, receive, send)

    await layer_around(app, registry)(request_scope(), receive, sent.send)
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


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
@pytest.mark.parametrize(("status", "logged"), [(200, 0), (204, 0), (401, 1), (503, 1)])
async def test_health_checks_and_scrapes_are_logged_only_if_they_fail_and_counted_always(
    registry: CollectorRegistry, lines: list[EventDict], path: str, status: int, logged: int
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = SimpleNamespace(path=path)
        await Response(b"", status)(scope, receive, send)

    await layer_around(app, registry)(request_scope(path=path), receive, Recorder().send)
    assert len(lines) == logged
    labels = {"app": "client", "method": "GET", "route": path, "status": str(status)}
    assert registry.get_sample_value("cafe_requests_total", labels) == 1


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/wp-login.php", "/wp-login.php"),
        ("/api/v1/client/nothing/", "/api/v1/client/nothing"),
        ("/a\nb\x1b[31m\ud800", r"/a\nb\x1b[31m\ud800"),
        ("/order/MTc.c2VjcmV0c2VjcmV0c2VjcmV0/x", "/order/MTc.c2VjcmV0.../x"),
        ("*", "*"),
    ],
)
async def test_a_path_without_a_route_is_logged_escaped_and_without_secrets(
    registry: CollectorRegistry, sent: Recorder, lines: list[EventDict], path: str, shown: str
) -> None:
    await layer_around(Response(b"", 404), registry)(request_scope(path=path), receive, sent.send)
    assert [(line["route"], line["path"]) for line in lines] == [("(none)", shown)]


@given(st.text(max_size=3000))
def test_what_is_logged_of_a_path_is_bounded_and_printable(path: str) -> None:
    shown = shown_path(path)
    assert len(shown) <= 200
    assert shown.isprintable()
    assert all(len(part) <= 20 for part in shown.split("/"))


async def test_unknown_methods_and_paths_make_no_new_labels(
    registry: CollectorRegistry, sent: Recorder, lines: list[EventDict]
) -> None:
    layer = layer_around(Response(b"", 404), registry)
    for n in range(3):
        scope = request_scope(method=f"BREW{n}", path=f"/{n}", client=None)
        await layer(scope, receive, sent.send)
    assert {(line["method"], line["route"], line["address"]) for line in lines} == {
        ("OTHER", "(none)", "unknown")
    }
    labels = {"app": "client", "method": "OTHER", "route": "(none)", "status": "404"}
    assert registry.get_sample_value("cafe_requests_total", labels) == 3


@pytest.mark.parametrize("given", [b"a", b"A.b_c:d-9", b"x" * 64])
async def test_a_clients_id_that_is_harmless_in_a_log_is_used(
    registry: CollectorRegistry, sent: Recorder, given: bytes
) -> None:
    scope = request_scope(headers=[(b"x-request-id", given)])
    await layer_around(Response(), registry)(scope, receive, sent.send)
    assert sent.headers[b"x-request-id"] == given


@pytest.mark.parametrize("given", [b"", b"x" * 65, b"a b", b'"', b"a\nb", b"a\n", b"\xff"])
async def test_any_other_request_gets_a_new_id(
    registry: CollectorRegistry, sent: Recorder, given: bytes
) -> None:
    scope = request_scope(headers=[(b"x-request-id", given)])
    await layer_around(Response(), registry)(scope, receive, sent.send)
    assert len(sent.headers[b"x-request-id"]) == 16


@pytest.mark.schedules(1)
async def test_a_cancelled_request_is_logged_with_status_0(
    registry: CollectorRegistry, sent: Recorder, lines: list[EventDict]
) -> None:
    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()

    with trio.move_on_after(1):
        await layer_around(app, registry)(request_scope(), receive, sent.send)
    assert [(line["event"], line["status"]) for line in lines] == [("request", 0)]
    assert sent.messages == []


async def test_an_exception_after_the_response_has_begun_sends_no_second_response(
    registry: CollectorRegistry, sent: Recorder, lines: list[EventDict]
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    await layer_around(app, registry)(request_scope(), receive, sent.send)
    assert [message["type"] for message in sent.messages] == ["http.response.start"]
    assert [line["event"] for line in lines] == ["bug", "request"]


async def test_what_is_no_request_is_passed_on_and_not_logged(
    registry: CollectorRegistry, sent: Recorder, lines: list[EventDict]
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})

    scope: Scope = {"type": "lifespan", "path": PREFIX}
    await layer_around(app, registry)(scope, receive, sent.send)
    assert scope == {"type": "lifespan", "path": PREFIX}
    assert sent.messages == [{"type": "lifespan.startup.complete"}]
    assert lines == []


async def root_path_and_bare_path(scope: Scope) -> tuple[str, str]:
    """Return what the app inside sees."""
    await with_outer_layer(Response(), PREFIX)(scope, receive, Recorder().send)
    return scope.get("root_path", ""), bare_path(scope)


@pytest.mark.parametrize(
    ("path", "root_path", "bare"),
    [
        ("/order", "", "/order"),
        ("/", "", "/"),
        ("*", "", "*"),
        (f"{PREFIX}/order", PREFIX, "/order"),
        (f"{PREFIX}/", PREFIX, "/"),
        (PREFIX, PREFIX, "/"),
        (f"{PREFIX}s/order", "", f"{PREFIX}s/order"),
        (f"/x{PREFIX}/order", "", f"/x{PREFIX}/order"),
        (f"{PREFIX}{PREFIX}/order", PREFIX, f"{PREFIX}/order"),
    ],
)
async def test_the_prefix_is_removed_once(path: str, root_path: str, bare: str) -> None:
    assert await root_path_and_bare_path(request_scope(path=path)) == (root_path, bare)


@pytest.mark.parametrize("prefix", ["", PREFIX])
@pytest.mark.parametrize(
    ("path", "bare"),
    [
        ("/order/", "/order"),
        ("/order/x/", "/order/x"),
        ("/order//", "/order//"),
        ("//", "//"),
        ("/order///", "/order///"),
    ],
)
async def test_one_last_slash_is_removed_but_not_one_of_two(
    prefix: str, path: str, bare: str
) -> None:
    assert await root_path_and_bare_path(request_scope(path=prefix + path)) == (prefix, bare)


@pytest.mark.parametrize(
    ("path", "prefix", "bare"),
    [
        ("/queue", "", "/queue"),
        ("/api/v1/queue", "/api/v1", "/queue"),
        ("/api/v1/client/queue", "/api/v1/client", "/queue"),
        ("/api/v1/client", "/api/v1/client", "/"),
        ("/api/v1/client/", "/api/v1/client", "/"),
        ("/api/v1", "/api/v1", "/"),
        ("/api/v1/", "/api/v1", "/"),
        ("/api/v1/clients/1", "/api/v1", "/clients/1"),
        ("/api/v1/worker/queue", "/api/v1", "/worker/queue"),
        ("/api/v12/queue", "", "/api/v12/queue"),
        ("/api", "", "/api"),
        ("/api/v1/client/api/v1/queue", "/api/v1/client", "/api/v1/queue"),
    ],
)
async def test_of_several_prefixes_the_longest_one_is_used(
    registry: CollectorRegistry, sent: Recorder, path: str, prefix: str, bare: str
) -> None:
    for prefixes in (("/api/v1", "/api/v1/client"), ("/api/v1/client", "/api/v1")):
        layer = OuterLayer(Response(), *prefixes, name="a", metrics=RequestMetrics(registry))
        scope = request_scope(path=path)
        await layer(scope, receive, sent.send)
        assert (scope.get("root_path", ""), bare_path(scope)) == (prefix, bare)
        registry = CollectorRegistry()
