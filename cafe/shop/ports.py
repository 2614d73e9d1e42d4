"""The ports of a shop: where each listens, which connections it admits, who may use it.

Rule: configuration files and limits of the process are read before anything is served.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import trio
from starlette.types import ASGIApp

from cafe.http.problem import problem_response, request_id_of
from cafe.http.worker_guards import Mode
from cafe.limits.address import parse_networks
from cafe.limits.admission import Admission
from cafe.limits.kernel_bans import drop_banned
from cafe.server.config import ServerConfig, load_config, parse_bind
from cafe.server.context import Problems
from cafe.server.descriptors import raise_limit, share_out
from cafe.server.serve import serve
from cafe.settings import Settings, SettingsError

CLIENT_PREFIX = "/api/v1/client"
SHORT_CLIENT_PREFIX = "/api/v1"
"""A second, short prefix of the customers' routes, which are the API that most clients use."""
WORKER_PREFIX = "/api/v1/worker"

PROBLEMS = Problems(problem_response, request_id_of)
"""The servers' own errors have the form of all other errors of the shop."""

GRACE_SHARE = 0.5
"""The share of the shutdown time that answers under way may take."""


@dataclass(frozen=True, slots=True)
class Port:
    """A server's configuration: where it listens, which connections it admits, its docs page."""

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

    Raises SettingsError if no setting defines it, and the port is reachable from other machines.
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
    """Return whether only this machine can connect to this host name or address."""
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
    """Return the default toml file of a port, in the current folder."""
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
