"""The composition root: opens the system, starts the actors in order, then both servers.

Rule: only this module starts anything, and it stops everything in reverse. Closing has its order,
too: the Dispatcher answers everybody who waits, then the doors shut, then the actors stop.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
import trio
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from actors import Ref, Restart, System, open_system
from actors.instruments.prometheus import PrometheusInstrument
from actors.instruments.slow_turns import SlowTurns
from cafe.apps import CLIENT_PREFIX, WORKER_PREFIX, client_app, worker_app
from cafe.clock import start_clock
from cafe.cut_off import enforce_bans, report_refusals
from cafe.limits.address import parse_networks
from cafe.limits.rate_limiter import CountLimits, Limits, RateLimiter
from cafe.metrics import Exposition
from cafe.orders.dispatcher import Dispatcher, Rules
from cafe.orders.journal import Journal
from cafe.orders.messages import CloseShop, CountQueue
from cafe.serving.admission import Admission
from cafe.serving.config import DoorConfig, load_config
from cafe.serving.descriptors import raise_limit, share_out
from cafe.serving.request_log import RequestMetrics
from cafe.serving.server import serve
from cafe.settings import Settings

MAILBOX = 10_000
"""Messages that an actor's mailbox holds: every request that may be open at a time has room."""
RESTART = Restart(limit=3, within=60)
DRAIN_SHARE = 0.2
"""Of the closing time: how long the ports go on answering 503, so that load balancers see it."""
GRACE_SHARE = 0.5
"""Of the closing time: how long answers under way may take to be read."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


@dataclass(frozen=True, slots=True)
class Door:
    """One of the two servers: where it listens, whom it admits, and what it serves."""

    name: str
    config: DoorConfig
    admission: Admission
    docs: str


@dataclass(slots=True)
class Shop:
    """Everything that has been started."""

    settings: Settings
    system: System
    limiter: Ref[RateLimiter]
    dispatcher: Ref[Dispatcher]
    doors_shut: trio.Event = field(default_factory=trio.Event)
    closing: bool = False

    async def why_not_ready(self) -> str | None:
        """Give None when the shop takes orders, else a sentence."""
        if self.closing:
            return "The shop is closing."
        with trio.move_on_after(1):
            await self.dispatcher.ask(CountQueue())
            await self.limiter.ask(CountLimits())
            return None
        return "The actors do not answer."

    async def close(self) -> None:
        """Refuse new orders, answer everybody who waits, then shut the doors."""
        self.closing = True
        seconds = self.settings.closing_seconds
        told = await self.dispatcher.ask(CloseShop(retry_after=seconds))
        left = await self.dispatcher.ask(CountQueue())
        # Orders live in this process: what is not ready by now is brewed for nobody.
        log.info("closing", customers_told=told, waiting=left.waiting, preparing=left.preparing)
        await trio.sleep(DRAIN_SHARE * seconds)
        self.doors_shut.set()


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
        Door("worker", worker, Admission(None, shares.worker), f"{WORKER_PREFIX}/docs"),
    )


async def run_shop(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run the shop until SIGTERM or SIGINT; a second signal ends the process at once.

    `announce` is given the lines with the real addresses, once both ports accept.
    Raises ConfigError or BindError before anything is served.
    """
    client, worker = read_doors(settings)
    # From the start: whoever has been told that the shop is open may close it.
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        await open_until(partial(first_of, signals), settings, client, worker, announce)


async def open_until(
    closing_time: Callable[[], Awaitable[None]],
    settings: Settings,
    client: Door,
    worker: Door,
    announce: Callable[[str], None],
) -> None:
    """Run the shop until `closing_time` returns, then close it."""
    registry, watching = CollectorRegistry(), PrometheusInstrument("cafe_actor")
    registry.register(watching)
    # When the doors are shut nothing is left to do but what the actors have queued.
    grace = GRACE_SHARE * settings.closing_seconds / 2
    async with open_system(grace=grace, instruments=[watching, SlowTurns()]) as system:
        watching.watch(system)
        shop = await start_actors(settings, system, Journal(registry))
        apps = make_apps(shop, registry, client.admission, worker.admission)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(enforce_bans, shop.limiter, shop.dispatcher, client.admission)
            nursery.start_soon(report_refusals, shop.limiter, client.admission)
            async with trio.open_nursery() as doors:
                lines = [
                    *await open_door(doors, client, apps[0], shop.doors_shut),
                    *await open_door(doors, worker, apps[1], shop.doors_shut),
                ]
                for line in lines:
                    announce(line)
                await closing_time()
                await shop.close()
            nursery.cancel_scope.cancel()
        # The last word of each: what it did, whether it crashed, what it leaves undone.
        log.info("actors", tree=str(system.tree()).splitlines())
    log.info("closed")


async def open_door(doors: trio.Nursery, door: Door, app: ASGIApp, shut: trio.Event) -> list[str]:
    """Serve `app` until it is shut; give a line with each address once it accepts."""
    serving = partial(serve, app, door.config, door.admission, shutdown_trigger=shut.wait)
    urls: list[str] = await doors.start(serving)
    return [f"{door.name} {url}{door.docs}" for url in urls]


async def start_actors(settings: Settings, system: System, journal: Journal) -> Shop:
    """Start the actors, in the order in which requests pass them."""
    limits = Limits(
        requests=settings.limit_requests,
        window_seconds=settings.limit_window_seconds,
        waiting=settings.limit_waiting,
        ban_after=settings.ban_after,
        ban_seconds=settings.ban_seconds,
    )
    rules = Rules(
        lease_seconds=settings.lease_seconds,
        max_waiting=settings.max_waiting,
        key_ttl_seconds=settings.key_ttl_seconds,
    )
    dispatcher = await system.start(
        partial(Dispatcher, rules, start_clock(), journal.record),
        name="Dispatcher",
        mailbox=MAILBOX,
        restart=RESTART,
    )
    limiter = await system.start(
        partial(RateLimiter, limits), name="RateLimiter", mailbox=MAILBOX, restart=RESTART
    )
    return Shop(settings, system, limiter, dispatcher)


def make_apps(
    shop: Shop, registry: CollectorRegistry, client: Admission, worker: Admission
) -> tuple[ASGIApp, ASGIApp]:
    """Give the customers' and the baristas' applications."""
    metrics = RequestMetrics(registry)
    token = shop.settings.worker_token
    exposition = Exposition(
        registry,
        shop.dispatcher,
        shop.limiter,
        {"client": client, "worker": worker},
    )
    return (
        client_app(
            shop.dispatcher,
            shop.limiter,
            trusted=parse_networks(shop.settings.trusted_proxies),
            why_not_ready=shop.why_not_ready,
            metrics=metrics,
        ),
        worker_app(
            shop.dispatcher,
            shop.system,
            token=None if token is None else token.get_secret_value(),
            why_not_ready=shop.why_not_ready,
            expose=exposition.expose,
            metrics=metrics,
        ),
    )


async def first_of(signals: AsyncIterator[int]) -> None:
    """Wait for the first of these signals; the next one ends the process at once."""
    signum = await anext(signals)
    log.info("signal", name=signal.Signals(signum).name)
    for either in (signal.SIGTERM, signal.SIGINT):
        signal.signal(either, signal.SIG_DFL)
