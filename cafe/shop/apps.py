"""The applications of a shop, a front and a house: their layers, routes and pages.

Rule: the layers of an app have a fixed order, from the outermost in: the request log sees all
requests, including those that the guards refuse; pages of listed origins can read all responses,
including those refusals; a guard refuses before the body is read, which the connection bounds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from actors import Ref, Tree
from cafe.http.app import create_app
from cafe.http.authentication import Authenticate, nobody
from cafe.http.cors import Cors
from cafe.http.front_page import FrontPage, PageLink, front_routes
from cafe.http.other_apis import ByPrefix, loosen
from cafe.http.outer_layer import OuterLayer, RequestMetrics, bare_path
from cafe.http.plain_routes import PlainRoutes
from cafe.http.problem import refusal_response
from cafe.http.worker_guards import CredentialsGuard, PageGuard, StaffAuthentication
from cafe.limits.address import Networks
from cafe.limits.gateway import GatewayWatch
from cafe.limits.guard import HEALTH, Guard, count_refusal, counting_refusals
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import Offer, OtherApi
from cafe.operations.operator_api import NotReady, health_routes, operator_routes
from cafe.shop.ports import CLIENT_PREFIX, SHORT_CLIENT_PREFIX, WORKER_PREFIX, Access

CLIENT = FrontPage(
    "The café: customers",
    "Order a coffee, and wait on the open connection until it is ready.",
    (
        PageLink("/docs", "Every call, to read and to try out"),
        PageLink("/openapi.json", "The same for programs: OpenAPI"),
        PageLink("/board", "The ready board, a page"),
        PageLink("/courier", "The couriers' page"),
        PageLink("/menu", "The menu"),
        PageLink("/queue", "How busy the shop is"),
        PageLink("/tables", "Tables that can be booked"),
        PageLink("/compat/", "Other systems whose clients are served"),
        PageLink("/readyz", "Whether the shop takes orders"),
    ),
)
WORKER = FrontPage(
    "The café: baristas",
    "Claim the oldest order, brew it, declare it ready.",
    (
        PageLink("/barista", "The baristas' screen"),
        PageLink("/manager", "The manager's screen"),
        PageLink("/docs", "Every call, to read and to try out; Authorize there takes a token"),
        PageLink("/openapi.json", "The same for programs: OpenAPI"),
        PageLink("/menu", "The menu"),
        PageLink("/orders", "Orders that wait or are in preparation"),
        PageLink("/actors", "What each actor is doing"),
        PageLink("/metrics", "Metrics for Prometheus"),
        PageLink("/compat/", "Other systems whose clients are served"),
        PageLink("/readyz", "Whether the shop takes orders"),
    ),
)
HOUSE = FrontPage(
    "The café: a house",
    "It owns the shop, and fronts serve it: here are only its health and its metrics.",
    (
        PageLink("/docs", "Every call, to read and to try out; Authorize there takes a token"),
        PageLink("/actors", "What each actor is doing"),
        PageLink("/metrics", "Metrics for Prometheus"),
        PageLink("/readyz", "Whether it owns the shop, or stands by"),
    ),
)
VERSION = version("trio-cafe")

WhyNotReady = Callable[[], Awaitable[NotReady | None]]
Expose = Callable[[], Awaitable[bytes]]


def client_app(
    offers: Sequence[Offer],
    limiter: Ref[RateLimiter],
    *,
    trusted: Networks,
    authenticate: Authenticate,
    why_not_ready: WhyNotReady,
    metrics: RequestMetrics,
    origins: frozenset[str] = frozenset(),
    base: str = "",
) -> ASGIApp:
    """Return the customers' application, also served at `base`; pages of `origins` may use it."""
    checked = counting_refusals(authenticate, limiter)
    routers = [one for offer in offers for one in offer.customer_routes]
    routers.append(health_routes(why_not_ready))
    home = next((offer.home for offer in offers if offer.home), None)
    api = create_app(
        [*routers, front_routes(CLIENT, VERSION, routers, home)],
        title=CLIENT.title,
        description=CLIENT.description,
        version=VERSION,
        prefix=base + CLIENT_PREFIX,
        other_prefixes=[base + SHORT_CLIENT_PREFIX, base or "/"],
        authenticate=checked,
    )
    others = [(one, one.customer_routes) for offer in offers for one in offer.other_apis]
    app, prefixes = serve_others(
        PlainRoutes(api), others, checked, CLIENT_PREFIX, SHORT_CLIENT_PREFIX, base=base
    )
    app = Guard(app, limiter, trusted, HEALTH, gateway=None if trusted else GatewayWatch())
    if origins:
        app = Cors(app, origins)
    return OuterLayer(app, *prefixes, name="client", metrics=metrics)


def health_app(name: str, why_not_ready: WhyNotReady, shops: Sequence[str]) -> ASGIApp:
    """Return the application beside several shops: their health together, and links to them."""
    health = health_api(why_not_ready, shops)
    return OuterLayer(health, name=name, metrics=RequestMetrics(CollectorRegistry()))


def health_api(why_not_ready: WhyNotReady, shops: Sequence[str] = ()) -> ASGIApp:
    """Return the routes of `health_app`, without the outer layer."""
    front = FrontPage("Cafés", "Each shop is at a path of its own.", ())
    beside = [PageLink(f"{one}/", one) for one in shops]
    routers = [health_routes(why_not_ready)]
    api = create_app(
        [*routers, front_routes(front, VERSION, routers, beside=beside)],
        title=front.title,
        description=front.description,
        version=VERSION,
        prefix="/api/v1",
        other_prefixes=["/"],
        authenticate=nobody,
    )
    return PlainRoutes(api)


def closed_app(name: str, why_not_ready: WhyNotReady, base: str = "") -> ASGIApp:
    """Return the application until a shop is open: its health, and a 503 with the reason otherwise.

    It is served at `base` as well.
    """
    health = health_api(why_not_ready)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and bare_path(scope) not in HEALTH:
            why_not = await why_not_ready() or NotReady("house", "The shop is about to open.")
            await refusal_response(scope, why_not)(scope, receive, send)
        else:
            await health(scope, receive, send)

    prefixes = [CLIENT_PREFIX, SHORT_CLIENT_PREFIX, WORKER_PREFIX]
    if base:
        prefixes += [base, *(base + prefix for prefix in prefixes)]
    return OuterLayer(app, *prefixes, name=name, metrics=RequestMetrics(CollectorRegistry()))


def worker_app(
    offers: Sequence[Offer],
    limiter: Ref[RateLimiter],
    actors_of: Callable[[], Tree],
    *,
    trusted: Networks,
    authenticate: Authenticate,
    access: Access,
    hosts: frozenset[str],
    why_not_ready: WhyNotReady,
    expose: Expose,
    metrics: RequestMetrics,
    front: FrontPage = WORKER,
    base: str = "",
) -> ASGIApp:
    """Return the staff's application.

    If the port is open, requests are counted, and only host names in `hosts` are accepted.
    Otherwise staff are never limited, requests of other accounts and of public paths are counted,
    and a request without credentials is refused. Pages of other sites are refused first, so that
    their requests do not count against the browser's address.
    """
    staff = StaffAuthentication(access.mode, access.token, authenticate)
    checked = counting_refusals(staff, limiter)
    routers = [
        *(one for offer in offers for one in offer.staff_routes),
        health_routes(why_not_ready),
        operator_routes(actors_of, expose),
    ]
    api = create_app(
        [*routers, front_routes(front, VERSION, routers)],
        title=front.title,
        description=front.description,
        version=VERSION,
        prefix=base + WORKER_PREFIX,
        other_prefixes=[base or "/"],
        authenticate=checked,
    )
    others = [(one, one.staff_routes) for offer in offers for one in offer.other_apis]
    app, prefixes = serve_others(PlainRoutes(api), others, checked, WORKER_PREFIX, base=base)
    counted = Guard(app, limiter, trusted, HEALTH, window="baristas")
    if access.mode == "open":
        app = counted
    else:
        refused = partial(count_refusal, limiter, "credentials")
        app = CredentialsGuard(app, counted, staff, HEALTH, refused)
        app = Guard(app, limiter, trusted, HEALTH, window=None)
    app = PageGuard(app, hosts if access.mode == "open" else None, HEALTH)
    return OuterLayer(app, *prefixes, name="worker", metrics=metrics)


def serve_others(
    app: ASGIApp,
    apis: Sequence[tuple[OtherApi, Sequence[APIRouter]]],
    authenticate: Authenticate,
    *ours: str,
    base: str,
) -> tuple[ASGIApp, list[str]]:
    """Return an app that also serves other APIs with these routes, and all of its prefixes.

    Behind the prefix of an API that is ours, `app` is served both with and without each of its own
    prefixes. Behind `base`, if it is not empty, everything is served once more.
    """
    others = {
        api.prefix: PlainRoutes(other_app(api, routers, authenticate, base))
        for api, routers in apis
        if routers
    }
    prefixes = [*ours, *others]
    for api, _ in apis:
        if api.is_ours:
            prefixes += [api.prefix, *(api.prefix + prefix for prefix in ours)]
    if base:
        prefixes += [base, *(base + prefix for prefix in prefixes)]
        others |= {base + prefix: other for prefix, other in others.items()}
    return ByPrefix(app, others), prefixes


def other_app(
    api: OtherApi, routers: Sequence[APIRouter], authenticate: Authenticate, base: str
) -> FastAPI:
    """Return the FastAPI app of another system's API."""
    app = create_app(
        routers,
        title=api.title,
        description=api.description,
        version=VERSION,
        prefix=base + api.prefix,
        authenticate=authenticate,
    )
    loosen(app)
    return app
