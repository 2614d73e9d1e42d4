"""The two ASGI applications: the layers that a request passes, from the outermost in.

Rule: this order, and no other. The request log sees all requests, also those that the guards
refuse; a guard refuses before the body is read, which the connection bounds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.metadata import version

from starlette.types import ASGIApp

from actors import Ref, System
from cafe.http.app import create_app
from cafe.http.outer_layer import OuterLayer, RequestMetrics
from cafe.http.plain_routes import PlainRoutes
from cafe.http.worker_guards import PageGuard, TokenGuard
from cafe.limits.address import Networks
from cafe.limits.guard import Guard, count_refusal
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import Offer
from cafe.operations.operator_api import health_routes, operator_routes

CLIENT_PREFIX = "/api/v1/client"
WORKER_PREFIX = "/api/v1/worker"
HEALTH = frozenset({"/livez", "/readyz"})

WhyNotReady = Callable[[], Awaitable[str | None]]
Expose = Callable[[], Awaitable[bytes]]


def client_app(
    offers: Sequence[Offer],
    limiter: Ref[RateLimiter],
    *,
    trusted: Networks,
    why_not_ready: WhyNotReady,
    metrics: RequestMetrics,
) -> ASGIApp:
    """Return the customers' application."""
    api = create_app(
        [*(one for offer in offers for one in offer.customer_routes), health_routes(why_not_ready)],
        title="The café: customers",
        description="Order a coffee, and wait on the open connection until it is ready.",
        version=version("trio-cafe"),
        prefix=CLIENT_PREFIX,
    )
    app = Guard(PlainRoutes(api), limiter, trusted, HEALTH)
    return OuterLayer(app, CLIENT_PREFIX, name="client", metrics=metrics)


def worker_app(
    offers: Sequence[Offer],
    limiter: Ref[RateLimiter],
    system: System,
    *,
    trusted: Networks,
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
    )
    app: ASGIApp = PlainRoutes(api)
    if token is None:
        app = Guard(app, limiter, trusted, HEALTH, window="baristas")
    else:
        app = TokenGuard(app, token, HEALTH, partial(count_refusal, limiter, "credentials"))
        app = Guard(app, limiter, trusted, HEALTH, window=None)
    app = PageGuard(app, hosts if token is None else None, HEALTH)
    return OuterLayer(app, WORKER_PREFIX, name="worker", metrics=metrics)
