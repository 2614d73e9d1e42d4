"""The composition root: opens the system, starts the actors in order, then both servers.

Rule: only this module starts anything, and it stops everything in reverse. Closing has its order,
too: the Dispatcher answers everybody who waits, then the doors shut, then the actors stop.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial

import structlog
import trio
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from actors import Ref, Restart, Strategy, System, open_system
from actors.instruments.prometheus import PrometheusInstrument
from actors.instruments.slow_turns import SlowTurns
from cafe.apps import client_app, worker_app
from cafe.clock import start_clock
from cafe.courier import carry_records
from cafe.cut_off import enforce_bans, report_refusals
from cafe.doors import GRACE_SHARE, Door, open_door, read_doors
from cafe.ledger.ledger import Ledger
from cafe.ledger.messages import LedgerUnavailable, Ping, Storing
from cafe.ledger.opening import open_store
from cafe.ledger.store import Store
from cafe.limits.address import parse_networks
from cafe.limits.rate_limiter import CountLimits, Limits, RateLimiter
from cafe.metrics import Exposition
from cafe.orders.desk import Desk
from cafe.orders.dispatcher import Dispatcher, Rules
from cafe.orders.journal import Journal
from cafe.orders.messages import CloseShop, CountQueue
from cafe.serving.admission import Admission
from cafe.serving.request_log import RequestMetrics
from cafe.settings import Settings

MAILBOX = 10_000
"""Messages that an actor's mailbox holds: every request that may be open at a time has room."""
RESTART = Restart(limit=5, within=60)
DRAIN_SHARE = 0.2
"""Of the closing time: how long the ports go on answering 503, so that load balancers see it."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


@dataclass(slots=True)
class Shop:
    """Everything that has been started."""

    settings: Settings
    system: System
    limiter: Ref[RateLimiter]
    dispatcher: Ref[Dispatcher]
    ledger: Ref[Ledger]
    doors_shut: trio.Event = field(default_factory=trio.Event)
    closing: bool = False

    async def why_not_ready(self) -> str | None:
        """Give None when the shop takes orders, else a sentence."""
        if self.closing:
            return "The shop is closing."
        with trio.move_on_after(1) as patience:
            await self.dispatcher.ask(CountQueue())
            await self.limiter.ask(CountLimits())
        if patience.cancelled_caught:
            return "The actors do not answer."
        with trio.move_on_after(1), suppress(LedgerUnavailable):
            await self.ledger.ask(Ping())
            return None
        return "The ledger cannot be written."

    async def close(self) -> None:
        """Refuse new orders, answer everybody who waits, then shut the doors."""
        self.closing = True
        seconds = self.settings.closing_seconds
        drained = trio.current_time() + DRAIN_SHARE * seconds
        told: int | None = None  # unknown, if the ledger does not take what has happened
        with trio.move_on_at(drained), suppress(LedgerUnavailable):
            told = await self.dispatcher.ask(CloseShop(retry_after=seconds))
        left = await self.dispatcher.ask(CountQueue())
        log.info("closing", customers_told=told, waiting=left.waiting, preparing=left.preparing)
        await trio.sleep_until(drained)
        self.doors_shut.set()


async def run_shop(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run the shop until SIGTERM or SIGINT; a second signal ends the process at once.

    `announce` is given the lines with the real addresses, once both ports accept.
    Raises ConfigError, LedgerError or BindError before anything is served.
    """
    doors = read_doors(settings)
    # From the start: whoever has been told that the shop is open may close it.
    with (
        trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals,
        closing(open_store(settings.database_url.get_secret_value())) as store,
    ):
        await open_until(partial(first_of, signals), settings, doors, store, announce)


async def open_until(
    closing_time: Callable[[], Awaitable[None]],
    settings: Settings,
    doors: tuple[Door, Door],
    store: Store,
    announce: Callable[[str], None],
) -> None:
    """Run the shop until `closing_time` returns, then close it."""
    registry, watching = CollectorRegistry(), PrometheusInstrument("cafe_actor")
    registry.register(watching)
    # When the doors are shut nothing is left to do but what the actors have queued.
    grace = GRACE_SHARE * settings.closing_seconds / 2
    async with open_system(grace=grace, instruments=[watching, SlowTurns()]) as system:
        watching.watch(system)
        shop = await start_actors(settings, system, Journal(registry), store)
        client, worker = doors
        apps = make_apps(shop, registry, client.admission, worker.admission)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(carry_records, shop.dispatcher, shop.ledger)
            nursery.start_soon(enforce_bans, shop.limiter, shop.dispatcher, client.admission)
            nursery.start_soon(report_refusals, shop.limiter, client.admission)
            async with trio.open_nursery() as serving:
                lines = [
                    *await open_door(serving, client, apps[0], shop.doors_shut),
                    *await open_door(serving, worker, apps[1], shop.doors_shut),
                ]
                for line in lines:
                    announce(line)
                await closing_time()
                await shop.close()
            nursery.cancel_scope.cancel()
        # The last word of each: what it did, whether it crashed, what it leaves undone.
        log.info("actors", tree=str(system.tree()).splitlines())
    log.info("closed")


async def start_actors(
    settings: Settings, system: System, journal: Journal, store: Storing
) -> Shop:
    """Start the actors, those first that others depend on."""
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
    clock = start_clock()
    # A Dispatcher knows what the ledger has: he begins anew when the Ledger does.
    books = system.group(Strategy.REST_FOR_ONE, name="books")
    ledger = await books.start(
        partial(Ledger, store, clock, settings.key_ttl_seconds),
        name="Ledger",
        mailbox=MAILBOX,
        restart=RESTART,
    )
    dispatcher = await books.start(
        lambda: Dispatcher(rules, clock, journal.record, store.load()),
        name="Dispatcher",
        mailbox=MAILBOX,
        restart=RESTART,
    )
    limiter = await system.start(
        partial(RateLimiter, limits), name="RateLimiter", mailbox=MAILBOX, restart=RESTART
    )
    return Shop(settings, system, limiter, dispatcher, ledger)


def make_apps(
    shop: Shop, registry: CollectorRegistry, client: Admission, worker: Admission
) -> tuple[ASGIApp, ASGIApp]:
    """Give the customers' and the baristas' applications."""
    metrics, desk = RequestMetrics(registry), Desk(shop.dispatcher, shop.ledger)
    token = shop.settings.worker_token
    exposition = Exposition(
        registry,
        shop.dispatcher,
        shop.ledger,
        shop.limiter,
        {"client": client, "worker": worker},
    )
    return (
        client_app(
            desk,
            shop.limiter,
            trusted=parse_networks(shop.settings.trusted_proxies),
            why_not_ready=shop.why_not_ready,
            metrics=metrics,
        ),
        worker_app(
            desk,
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
