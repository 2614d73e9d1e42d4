"""The outermost layer of both apps: a request's path and id, its log line and its metrics.

Rule: whatever happens further in, a request has an id, a response, and exactly one log line with
its method, route, status, duration, address and id. Health checks and scrapes of metrics, which are
most requests of a quiet day, have a line only if they fail. The layers below see one spelling of
each path: the request's prefix, one of the app's, is ASGI's `root_path`, which routing and
`Location` respect, and a last slash is removed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Awaitable, Iterator
from itertools import accumulate
from random import getrandbits
from typing import Any, Final

import structlog
import trio
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cafe.http.disconnect import has_disconnected
from cafe.http.problem import problem_response
from cafe.http.reply import DISCONNECTED

SANE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"})
UNMATCHED = "(none)"
"""The route of an unknown path: an attacker must not be able to create new labels."""
QUIET: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""Routes that machines request every few seconds."""
FAILED: Final = 400
"""The lowest status of a request that failed."""
MOST_PATH, MOST_SEGMENT, SHOWN_SEGMENT = 200, 20, 12
"""The most characters of a path in the log, of a part that is shown whole, and of a longer part."""
ANSWERED_AT: Final = "answered_at"
"""In a request's state: when the head of its response was sent, if that is a stream."""
BUCKETS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 300, 900)

log: structlog.stdlib.BoundLogger = structlog.get_logger("request")


class Durations:
    """How long the requests to one route took."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        """How many requests took longer than the previous bound, and at most this one."""
        self.seconds = 0.0


class RequestMetrics(Collector):
    """Counts requests by app, method, route and status, and how long they took.

    It keeps plain numbers and makes Prometheus's families of them at a scrape: the library's own
    counters take a lock and convert to a float at each step, three times a request.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the collector in `registry`."""
        self._requests: dict[tuple[str, str, str, int], int] = {}
        self._durations: dict[tuple[str, str], Durations] = {}
        registry.register(self)

    def count(self, app: str, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered after `seconds`."""
        request = app, method, route, status
        self._requests[request] = self._requests.get(request, 0) + 1
        durations = self._durations.get((app, route))
        if durations is None:
            durations = self._durations[app, route] = Durations()
        durations.buckets[bisect_left(BUCKETS, seconds)] += 1
        durations.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; called by the registry."""
        labels = ("app", "method", "route", "status")
        requests = CounterMetricFamily("cafe_requests", "Requests answered.", labels=labels)
        for (*texts, status), times in self._requests.items():
            requests.add_metric([*texts, str(status)], times)
        yield requests
        yield self._collect_durations()

    def _collect_durations(self) -> Metric:
        durations = HistogramMetricFamily(
            "cafe_request_seconds",
            "From the head of a request to the end of its response; of a stream, to its begin.",
            labels=("app", "route"),
        )
        bounds = [*(str(float(bound)) for bound in BUCKETS), "+Inf"]
        for labels, one in self._durations.items():
            # In the exposition each bucket includes all smaller ones.
            sums = accumulate(one.buckets)
            durations.add_metric(labels, list(zip(bounds, sums, strict=True)), one.seconds)
        return durations


class OuterLayer:
    """ASGI middleware that every request passes first; see the module."""

    def __init__(self, app: ASGIApp, *prefixes: str, name: str, metrics: RequestMetrics) -> None:
        """Serve `app` under each prefix and without any; `name` is its name in logs and metrics."""
        self._app = app
        # The longest first: one may begin as another does.
        self._prefixes = [(one, f"{one}/") for one in sorted(prefixes, key=len, reverse=True)]
        self._name = name
        self._metrics = metrics
        self._log: structlog.stdlib.BoundLogger | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with 500 if the app fails; pass on other protocols than HTTP."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = trio.current_time()
        path = scope["path"]
        if path[-1:] == "/" and path[-2:] not in {"/", "//"}:
            scope["path"] = path = path[:-1]
        for prefix, below in self._prefixes:
            if path.startswith(below) or path == prefix:
                scope["root_path"] = prefix
                break
        status, request_id = 0, take_request_id(scope)

        def send_with_id(message: Message) -> Awaitable[None]:
            # Not async, so a request that waits in it keeps no frame for it.
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                message = {**message, "headers": headers}
            return send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            # The router has answered already, and raises the exception again to have it logged; an
            # exception of a layer outside of it has not been answered.
            log.exception("bug", app=self._name, request_id=request_id, route=route_of(scope))
            if not status:
                await problem_response(scope, 500)(scope, receive, send_with_id)
        finally:
            if not status and has_disconnected(scope):
                status = DISCONNECTED.status_code
            self._record(scope, status, began)

    def _record(self, scope: Scope, status: int, began: float) -> None:
        ended = trio.current_time()
        seconds = ended - began
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        route = route_of(scope)
        answered_at: float = scope["state"].get(ANSWERED_AT, ended)
        self._metrics.count(self._name, method, route, status, answered_at - began)
        if route in QUIET and status < FAILED:
            return
        if self._log is None:  # bound once, not for each line, and only after logging is set up
            self._log = log.bind(app=self._name)
        more = {} if route is not UNMATCHED else {"path": shown_path(scope["path"])}
        self._log.info(
            "request",
            **more,
            method=method,
            route=route,
            status=status,
            duration_ms=int(seconds * 100_000 + 0.5) / 100,  # `round` takes as long as all of this
            # The address that the guard has determined, else the peer's.
            address=scope["state"].get("address") or (scope["client"] or ("unknown",))[0],
            request_id=scope["state"]["request_id"],
        )


def answered_now(scope: Scope) -> None:
    """Count a request as answered now in the metrics: its response is a stream, of any length."""
    scope["state"][ANSWERED_AT] = trio.current_time()


def take_request_id(scope: Scope) -> str:
    """Return the client's X-Request-ID if it is harmless in a log, else a new id."""
    request_id = f"{getrandbits(64):016x}"
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SANE_ID.fullmatch(value):
            request_id = value.decode("ascii")
    scope.setdefault("state", {})["request_id"] = request_id
    return request_id


def route_of(scope: Scope) -> str:
    """Return the route's template, as in `/order/{order_id}`, without a last slash.

    A route of another API has its prefix before it.
    """
    route: Any = scope.get("route")
    if route is None:
        return UNMATCHED
    path: str = scope.get("api_prefix", "") + route.path
    return path.rstrip("/") or "/"


def shown_path(path: str) -> str:
    """Return a path for the log: bounded, escaped, and without secrets.

    Only the beginning of a long part is shown: it may be the id of an order, with which a reader of
    the log could cancel it, or a token from a letter.
    """
    parts = path[: 5 * MOST_PATH].encode("unicode_escape").decode().split("/")
    shown = (one if len(one) <= MOST_SEGMENT else f"{one[:SHOWN_SEGMENT]}..." for one in parts)
    return "/".join(shown)[:MOST_PATH]


def bare_path(scope: Scope) -> str:
    """Return the request's path without the prefix that it used."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"
