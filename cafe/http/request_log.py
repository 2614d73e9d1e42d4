"""One structured line and one observation a request, and the last catch for a bug.

Rule: outermost of our layers. Whatever happens further in, the request has an id, an answer and
exactly one line: method, route, status, duration, address, request id.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Awaitable, Iterator
from itertools import accumulate
from typing import Any, Final

import structlog
import trio
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cafe.http.disconnect import has_hung_up
from cafe.http.problem import problem_response, request_id_of
from cafe.http.reply import HUNG_UP

SANE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"})
UNMATCHED = "(none)"
"""The route of a path that we do not have: labels must not grow with an attacker's imagination."""
BUCKETS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 300, 900)

log: structlog.stdlib.BoundLogger = structlog.get_logger("request")


class Durations:
    """How long the requests to one route took."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        """How many took as long as this bucket's bound at most, and longer than the last one's."""
        self.seconds = 0.0


class RequestMetrics(Collector):
    """Requests by app, method, route and status, and how long they took.

    Plain numbers, of which Prometheus's families are made when they are asked for: the library's
    own counters take a lock and convert to a float at each step, three times a request.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Be in `registry`, where the figures are then found."""
        self._requests: dict[tuple[str, str, str, int], int] = {}
        self._durations: dict[tuple[str, str], Durations] = {}
        registry.register(self)

    def count(self, app: str, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        request = app, method, route, status
        self._requests[request] = self._requests.get(request, 0) + 1
        durations = self._durations.get((app, route))
        if durations is None:
            durations = self._durations[app, route] = Durations()
        durations.buckets[bisect_left(BUCKETS, seconds)] += 1
        durations.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """Give everything that was counted."""
        labels = ("app", "method", "route", "status")
        requests = CounterMetricFamily("cafe_requests", "Requests answered.", labels=labels)
        for (*texts, status), times in self._requests.items():
            requests.add_metric([*texts, str(status)], times)
        yield requests
        yield self._collect_durations()

    def _collect_durations(self) -> Metric:
        durations = HistogramMetricFamily(
            "cafe_request_seconds",
            "From the request's head to the end of its answer.",
            labels=("app", "route"),
        )
        bounds = [*(str(float(bound)) for bound in BUCKETS), "+Inf"]
        for labels, one in self._durations.items():
            # The exposition's buckets hold all that took less, too.
            sums = accumulate(one.buckets)
            durations.add_metric(labels, list(zip(bounds, sums, strict=True)), one.seconds)
        return durations


class RequestLog:
    """ASGI middleware that gives each request its id, and tells what became of it."""

    def __init__(self, app: ASGIApp, *, name: str, metrics: RequestMetrics) -> None:
        self._app = app
        self._name = name
        self._metrics = metrics
        self._log: structlog.stdlib.BoundLogger | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is not HTTP is passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = trio.current_time()
        answer = _Answer(send, take_request_id(scope))
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            # Starlette has answered already and re-raises for us to log; a bug in a layer
            # outside of it has not been answered yet.
            route, request_id = route_of(scope), answer.request_id
            log.exception("bug", app=self._name, request_id=request_id, route=route)
            if not answer.status:
                await problem_response(scope, 500)(scope, receive, answer.send)
        finally:
            if not answer.status and has_hung_up(scope):
                answer.status = HUNG_UP.status_code
            self._tell(scope, answer, trio.current_time() - began)

    def _tell(self, scope: Scope, answer: _Answer, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        route = route_of(scope)
        self._metrics.count(self._name, method, route, answer.status, seconds)
        if self._log is None:  # not before the log is set up; structlog would do it for each line
            self._log = log.bind(app=self._name)
        self._log.info(
            "request",
            method=method,
            route=route,
            status=answer.status,
            duration_ms=int(seconds * 100_000 + 0.5) / 100,  # `round` takes as long as all of this
            address=address_of(scope),
            request_id=answer.request_id,
        )


class _Answer:
    """Notes the status on its way out, and adds the request's id; status 0 is: none was sent."""

    __slots__ = ("_send", "request_id", "status")

    def __init__(self, send: Send, request_id: str) -> None:
        self.status = 0
        self._send = send
        self.request_id = request_id

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message. Waits for nothing itself, so it is no frame for who waits in it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
            message = {**message, "headers": headers}
        return self._send(message)


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
