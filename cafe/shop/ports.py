"""The two ports of the shop: where each listens, which connections it admits, the app it serves.

Rule: files and limits of the process are read before anything is served. The layers of an app have
this order, from the outermost in, and no other: the request log sees all requests, also those that
the guards refuse; pages of listed origins can read all responses, also those refusals; a guard
refuses before the body is read, which the connection bounds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import trio
from starlette.types import ASGIApp

from actors import Ref, System
from cafe.http.app import create_app
from cafe.http.authentication import Authenticate
from cafe.http.cors import Cors
from cafe.http.outer_layer import OuterLayer, RequestMetrics
from cafe.http.plain_routes import PlainRoutes
from cafe.http.problem import problem_response, request_id_of
from cafe.http.worker_guards import PageGuard, TokenGuard
from cafe.limits.address import Networks, parse_networks
from cafe.limits.admission import Admission
from cafe.limits.guard import HEALTH, Guard, count_refusal
from cafe.limits.kernel_bans import drop_banned
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import Offer
from cafe.operations.operator_api import health_routes, operator_routes
from cafe.server.config import ServerConfig, load_config
from cafe.server.context import Problems
from cafe.server.descriptors import raise_limit, share_out
from cafe.server.serve import serve
from cafe.settings import Settings

CLIENT_PREFIX = "/api/v1/client"
SHORT_CLIENT_PREFIX = "/api/v1"
"""The customers' routes are the API that most clients want, so they have a short one as well."""
WORKER_PREFIX = "/api/v1/worker"

PROBLEMS = Problems(problem_response, request_id_of)
"""How the servers write their own errors: as all others of the shop."""

GRACE_SHARE = 0.5
"""Of the shutdown time: how long answers under way may take."""

WhyNotReady = Callable[[], Awaitable[str | None]]
Expose = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Port:
    """One of the two servers: where it listens, which connections it admits, what it serves."""

    name: str
    config: ServerConfig
    admission: Admission
    docs: str


def read_ports(settings: Settings) -> tuple[Port, Port]:
    """Read both toml files, and share the process's descriptors between the ports.

    Raises ConfigError.
    """
    shares = share_out(raise_limit())
    client = load_config(
        settings.client_config,
        default=Path("hypercorn_client.toml"),
        bind=settings.client_bind,
        default_bind="127.0.0.1:8080",
    )
    worker = load_config(
        settings.worker_config,
        default=Path("hypercorn_worker.toml"),
        bind=settings.worker_bind,
        default_bind="127.0.0.1:8081",
    )
    for config in (client, worker):
        config.graceful_timeout = min(
            config.graceful_timeout, GRACE_SHARE * settings.closing_seconds
        )
    trusted = parse_networks(settings.trusted_proxies)
    return (
        Port(
            "client",
            client,
            Admission(settings.limit_connections, shares.client, trusted),
            f"{CLIENT_PREFIX}/docs",
        ),
        Port("worker", worker, Admission(None, shares.worker, trusted), f"{WORKER_PREFIX}/docs"),
    )


async def open_port(ports: trio.Nursery, port: Port, app: ASGIApp, shut: trio.Event) -> list[str]:
    """Serve `app` until `shut` is set; return a line for each address once it accepts."""
    serving = partial(
        serve,
        app,
        port.config,
        port.admission,
        PROBLEMS,
        shutdown_trigger=shut.wait,
        beside=partial(drop_banned, admission=port.admission),
    )
    urls: list[str] = await ports.start(serving)
    return [f"{port.name} {url}{port.docs}" for url in urls]


def client_app(
    offers: Sequence[Offer],
    limiter: Ref[RateLimiter],
    *,
    trusted: Networks,
    authenticate: Authenticate,
    why_not_ready: WhyNotReady,
    metrics: RequestMetrics,
    origins: frozenset[str] = frozenset(),
) -> ASGIApp:
    """Return the customers' application; pages of these `origins` may use it."""
    api = create_app(
        [*(one for offer in offers for one in offer.customer_routes), health_routes(why_not_ready)],
        title="The café: customers",
        description="Order a coffee, and wait on the open connection until it is ready.",
        version=version("trio-cafe"),
        prefix=CLIENT_PREFIX,
        other_prefixes=[SHORT_CLIENT_PREFIX],
        authenticate=authenticate,
    )
    app: ASGIApp = Guard(PlainRoutes(api), limiter, trusted, HEALTH)
    if origins:
        app = Cors(app, origins)
    return OuterLayer(app, CLIENT_PREFIX, SHORT_CLIENT_PREFIX, name="client", metrics=metrics)


def worker_app(
    offers: Sequence[Offer],
    limiter: Ref[RateLimiter],
    system: System,
    *,
    trusted: Networks,
    authenticate: Authenticate,
    token: str | None,
    hosts: frozenset[str],
    why_not_ready: WhyNotReady,
    expose: Expose,
    metrics: RequestMetrics,
) -> ASGIApp:
    """Return the staff's application.

    With a token, a request that has it is never limited, and one without it is always refused.
    Without one, requests are counted, and only host names in `hosts` are accepted. Pages of other
    sites are refused first: their requests do not count against the address of the browser.
    """
    api = create_app(
        [
            *(one for offer in offers for one in offer.staff_routes),
            health_routes(why_not_ready),
            operator_routes(system, expose),
        ],
        title="The café: baristas",
        description="Claim the oldest order, brew it, declare it ready.",
        version=version("trio-cafe"),
        prefix=WORKER_PREFIX,
        authenticate=authenticate,
    )
    app: ASGIApp = PlainRoutes(api)
    if token is None:
        app = Guard(app, limiter, trusted, HEALTH, window="baristas")
    else:
        app = TokenGuard(app, token, HEALTH, partial(count_refusal, limiter, "credentials"))
        app = Guard(app, limiter, trusted, HEALTH, window=None)
    app = PageGuard(app, hosts if token is None else None, HEALTH)
    return OuterLayer(app, WORKER_PREFIX, name="worker", metrics=metrics)
