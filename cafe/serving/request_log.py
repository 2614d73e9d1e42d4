"""One structured line and one observation a request, and the last catch for a bug.

Rule: outermost of our layers. Whatever happens further in, the request has an id, an answer and
exactly one line: method, route, status, duration, address, request id.
"""

from __future__ import annotations

import re
from typing import Any

import structlog
import trio
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cafe.serving.problem import problem_response, request_id_of

SANE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"})
UNMATCHED = "(none)"
"""The route of a path that we do not have: labels must not grow with an attacker's imagination."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("request")


class RequestMetrics:
    """Requests by app, method, route and status, and how long they took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "cafe_requests",
            "Requests answered.",
            ("app", "method", "route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "cafe_request_seconds",
            "From the request's head to the end of its answer.",
            ("app", "route"),
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 300, 900),
            registry=registry,
        )


class RequestLog:
    """ASGI middleware that gives each request its id, and tells what became of it."""

    def __init__(self, app: ASGIApp, *, name: str, metrics: RequestMetrics) -> None:
        self._app = app
        self._name = name
        self._metrics = metrics
        # The library makes a tuple of texts and takes a lock each time that it looks a child up.
        self._requests: dict[tuple[str, str, int], Counter] = {}
        self._seconds: dict[str, Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app, and tell what became of the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = take_request_id(scope)
        answer = _Answer(send, request_id)
        began = trio.current_time()
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            # Starlette has answered already and re-raises for us to log; a bug in a layer
            # outside of it has not been answered yet.
            log.exception("bug", app=self._name, request_id=request_id, route=route_of(scope))
            if not answer.status:
                await problem_response(scope, 500)(scope, receive, answer.send)
        finally:
            self._tell(scope, answer.status, request_id, trio.current_time() - began)

    def _tell(self, scope: Scope, status: int, request_id: str, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        route = route_of(scope)
        self._count(method, route, status, seconds)
        log.info(
            "request",
            app=self._name,
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 2),
            address=address_of(scope),
            request_id=request_id,
        )

    def _count(self, method: str, route: str, status: int, seconds: float) -> None:
        key = method, route, status
        if key not in self._requests:
            labels = self._name, method, route, str(status)
            self._requests[key] = self._metrics.requests.labels(*labels)
            self._seconds[route] = self._metrics.seconds.labels(self._name, route)
        self._requests[key].inc()
        self._seconds[route].observe(seconds)


class _Answer:
    """Notes the status on its way out, and adds the request's id; status 0 is: none was sent."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.status = 0
        self._send = send
        self._request_id = request_id.encode()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = [*message.get("headers", ()), (b"x-request-id", self._request_id)]
            message = {**message, "headers": headers}
        await self._send(message)


def take_request_id(scope: Scope) -> str:
    """Take the caller's X-Request-ID when it is harmless in a log, else make one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SANE_ID.fullmatch(value):
            scope.setdefault("state", {})["request_id"] = value.decode("ascii")
    return request_id_of(scope)


def route_of(scope: Scope) -> str:
    """Give the route's template, as in `/order/{order_id}`, with or without a last slash."""
    route: Any = scope.get("route")
    return UNMATCHED if route is None else route.path.rstrip("/")


def address_of(scope: Scope) -> str:
    """Give who asked, as the guard found out, else the peer."""
    address = scope["state"].get("address")
    return address or (scope["client"] or ("unknown",))[0]
