"""The two ports of the shop: where each listens, which connections it admits, what it serves.

Rule: files and limits of the process are read before anything is served.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio
from starlette.types import ASGIApp

from cafe.http.problem import problem_response, request_id_of
from cafe.limits.address import parse_networks
from cafe.limits.admission import Admission
from cafe.limits.kernel_bans import drop_banned
from cafe.server.config import ServerConfig, load_config
from cafe.server.context import Problems
from cafe.server.descriptors import raise_limit, share_out
from cafe.server.serve import serve
from cafe.settings import Settings
from cafe.shop.apps import CLIENT_PREFIX, WORKER_PREFIX

PROBLEMS = Problems(problem_response, request_id_of)
"""How the servers write their own errors: as all others of the shop."""

GRACE_SHARE = 0.5
"""Of the shutdown time: how long answers under way may take."""


@dataclass(frozen=True, slots=True)
class Door:
    """One of the two servers: where it listens, which connections it admits, what it serves."""

    name: str
    config: ServerConfig
    admission: Admission
    docs: str


def read_doors(settings: Settings) -> tuple[Door, Door]:
    """Read both toml files, and share the process's descriptors between the doors.

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
        Door(
            "client",
            client,
            Admission(settings.limit_connections, shares.client, trusted),
            f"{CLIENT_PREFIX}/docs",
        ),
        Door("worker", worker, Admission(None, shares.worker, trusted), f"{WORKER_PREFIX}/docs"),
    )


async def open_door(doors: trio.Nursery, door: Door, app: ASGIApp, shut: trio.Event) -> list[str]:
    """Serve `app` until `shut` is set; return a line for each address once it accepts."""
    serving = partial(
        serve,
        app,
        door.config,
        door.admission,
        PROBLEMS,
        shutdown_trigger=shut.wait,
        beside=partial(drop_banned, admission=door.admission),
    )
    urls: list[str] = await doors.start(serving)
    return [f"{door.name} {url}{door.docs}" for url in urls]
