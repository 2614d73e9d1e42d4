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
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import trio
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from actors import Ref, Tree
from cafe.http.app import create_app
from cafe.http.authentication import Authenticate
from cafe.http.cors import Cors
from cafe.http.front_page import Front, Link, front_routes
from cafe.http.other_apis import ByPrefix, loosen
from cafe.http.outer_layer import OuterLayer, RequestMetrics
from cafe.http.plain_routes import PlainRoutes
from cafe.http.problem import problem_response, request_id_of
from cafe.http.worker_guards import CredentialsGuard, Mode, PageGuard, StaffAuthentication
from cafe.limits.address import Networks, parse_networks
from cafe.limits.admission import Admission
from cafe.limits.gateway import GatewayWatch
from cafe.limits.guard import HEALTH, Guard, count_refusal, counting_refusals
from cafe.limits.kernel_bans import drop_banned
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import Offer, OtherApi
from cafe.operations.operator_api import NotReady, health_routes, operator_routes
from cafe.server.config import ServerConfig, load_config, parse_bind
from cafe.server.context import Problems
from cafe.server.descriptors import raise_limit, share_out
from cafe.server.serve import serve
from cafe.settings import Settings, SettingsError

CLIENT_PREFIX = "/api/v1/client"
SHORT_CLIENT_PREFIX = "/api/v1"
"""The customers' routes are the API that most clients want, so they have a short one as well."""
WORKER_PREFIX = "/api/v1/worker"

CLIENT = Front(
    "The café: customers",
    "Order a coffee, and wait on the open connection until it is ready.",
    (
        Link("/docs", "Every call, to read and to try out"),
        Link("/openapi.json", "The same for programs: OpenAPI"),
        Link("/board", "The ready board, a page"),
        Link("/courier", "The couriers' page"),
        Link("/menu", "The menu"),
        Link("/queue", "How busy the shop is"),
        Link("/tables", "Tables that can be booked"),
        Link("/compat/", "Other systems whose clients are served"),
        Link("/readyz", "Whether the shop takes orders"),
    ),
)
WORKER = Front(
    "The café: baristas",
    "Claim the oldest order, brew it, declare it ready.",
    (
        Link("/barista", "The baristas' screen"),
        Link("/manager", "The manager's screen"),
        Link("/docs", "Every call, to read and to try out; Authorize there takes a token"),
        Link("/openapi.json", "The same for programs: OpenAPI"),
        Link("/menu", "The menu"),
        Link("/orders", "Orders that wait or are in preparation"),
        Link("/actors", "What each actor is doing"),
        Link("/metrics", "Metrics for Prometheus"),
        Link("/compat/", "Other systems whose clients are served"),
        Link("/readyz", "Whether the shop takes orders"),
    ),
)
HOUSE = Front(
    "The café: a house",
    "It owns the shop, and fronts serve it: here are only its health and its metrics.",
    (
        Link("/docs", "Every call, to read and to try out; Authorize there takes a token"),
        Link("/actors", "What each actor is doing"),
        Link("/metrics", "Metrics for Prometheus"),
        Link("/readyz", "Whether it owns the shop, or stands by"),
    ),
)
VERSION = version("trio-cafe")

PROBLEMS = Problems(problem_response, request_id_of)
"""How the servers write their own errors: as all others of the shop."""

GRACE_SHARE = 0.5
"""Of the shutdown time: how long answers under way may take."""

WhyNotReady = Callable[[], Awaitable[NotReady | None]]
Expose = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Port:
    """One of the two servers: where it listens, which connections it admits, what it serves."""

    name: str
    config: ServerConfig
    admission: Admission
    docs: str


class Access(NamedTuple):
    """Who may use the baristas' port."""

    mode: Mode
    token: str | None = None
    """The worker token, if one is set."""


def read_access(settings: Settings, config: ServerConfig, port: str = "baristas'") -> Access:
    """Return who may use the baristas' port, or that of a house.

    Raises SettingsError if that was not said, and the port can be reached from elsewhere.
    """
    mode = settings.worker_auth
    token = None if settings.worker_token is None else settings.worker_token.get_secret_value()
    if mode == "token" and token is None:
        raise SettingsError("CAFE_WORKER_AUTH is token: set CAFE_WORKER_TOKEN, too")
    if mode is None and token is None:
        for bind in (*config.bind, *config.insecure_bind):
            if not is_loopback(parse_bind(bind)[0]):
                raise SettingsError(
                    f"The {port} port would be open to others at {bind}: set CAFE_WORKER_TOKEN, "
                    "or CAFE_WORKER_AUTH to accounts or open"
                )
    return Access(mode or ("open" if token is None else "token"), token)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_ports(settings: Settings) -> tuple[Port, Port]:
    """Read both toml files, and share the process's descriptors between the ports.

    Raises ConfigError.
    """
    shares = share_out(raise_limit())
    client = load_config(
        settings.client_config,
        default=default_file("client"),
        bind=settings.client_bind,
        default_bind="127.0.0.1:8080",
    )
    worker = load_config(
        settings.worker_config,
        default=default_file("worker"),
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


def read_house_port(settings: Settings) -> Port:
    """Return the port of a house's health and metrics; raises ConfigError."""
    config = ServerConfig()
    config.bind = settings.house_bind
    _ = parse_bind(settings.house_bind)
    config.graceful_timeout = min(config.graceful_timeout, GRACE_SHARE * settings.closing_seconds)
    trusted = parse_networks(settings.trusted_proxies)
    shares = share_out(raise_limit())
    return Port("house", config, Admission(None, shares.worker, trusted), f"{WORKER_PREFIX}/docs")


def default_file(port: str) -> Path:
    """Return the toml file of a port that is read if no other is named: in the current folder."""
    return Path(f"hypercorn_{port}.toml")


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
    checked = counting_refusals(authenticate, limiter)
    routers = [one for offer in offers for one in offer.customer_routes]
    routers.append(health_routes(why_not_ready))
    home = next((offer.home for offer in offers if offer.home), None)
    api = create_app(
        [*routers, front_routes(CLIENT, VERSION, routers, home)],
        title=CLIENT.title,
        description=CLIENT.description,
        version=VERSION,
        prefix=CLIENT_PREFIX,
        other_prefixes=[SHORT_CLIENT_PREFIX, "/"],
        authenticate=checked,
    )
    others = [(one, one.customer_routes) for offer in offers for one in offer.other_apis]
    app, prefixes = serve_others(
        PlainRoutes(api), others, checked, CLIENT_PREFIX, SHORT_CLIENT_PREFIX
    )
    app = Guard(app, limiter, trusted, HEALTH, gateway=None if trusted else GatewayWatch())
    if origins:
        app = Cors(app, origins)
    return OuterLayer(app, *prefixes, name="client", metrics=metrics)


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
    front: Front = WORKER,
) -> ASGIApp:
    """Return the staff's application.

    If the port is open, requests are counted, and only host names in `hosts` are accepted. Else
    staff is never limited, accounts that are no staff and public paths are counted, and a request
    without credentials is refused. Pages of other sites are refused first: their requests do not
    count against the address of the browser.
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
        prefix=WORKER_PREFIX,
        other_prefixes=["/"],
        authenticate=checked,
    )
    others = [(one, one.staff_routes) for offer in offers for one in offer.other_apis]
    app, prefixes = serve_others(PlainRoutes(api), others, checked, WORKER_PREFIX)
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
) -> tuple[ASGIApp, list[str]]:
    """Return an app that also serves other APIs with these routes, and the prefixes of it all.

    Behind the prefix of one that is ours, `app` is served with and without each of its own.
    """
    others = {
        api.prefix: PlainRoutes(other_app(api, routers, authenticate))
        for api, routers in apis
        if routers
    }
    prefixes = [*ours, *others]
    for api, _ in apis:
        if api.is_ours:
            prefixes += [api.prefix, *(api.prefix + prefix for prefix in ours)]
    return ByPrefix(app, others), prefixes


def other_app(api: OtherApi, routers: Sequence[APIRouter], authenticate: Authenticate) -> FastAPI:
    """Return the FastAPI app of another system's API."""
    app = create_app(
        routers,
        title=api.title,
        description=api.description,
        version=VERSION,
        prefix=api.prefix,
        authenticate=authenticate,
    )
    loosen(app)
    return app
