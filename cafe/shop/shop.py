"""The composition root: opens the ledger, starts the actors in order, then both servers.

Rule: only this module starts anything, and it stops everything in reverse. Closing has its order,
too: everybody who waits is answered, then the doors shut, then the actors stop, and at last the
ledger writes what is left.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import structlog
import trio
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from actors import ActorCrashed, ActorError, Ref, Restart, System, open_system
from actors.instruments.prometheus import PrometheusInstrument
from actors.instruments.slow_turns import SlowTurns
from cafe.first_of import first_of
from cafe.http.request_log import RequestMetrics
from cafe.ledger.errors import DatabaseGone, LoginRefused
from cafe.ledger.ledger import Ledger, new_ledger, running
from cafe.ledger.opening import open_store, waits_for_server
from cafe.ledger.refusals import LedgerUnavailable
from cafe.ledger.store import Store, Storing
from cafe.limits.address import parse_networks
from cafe.limits.admission import Admission
from cafe.limits.cut_off import enforce_bans, report_refusals
from cafe.limits.rate_limiter import CountLimits, Limits, RateLimiter
from cafe.operations.metrics import Exposition
from cafe.orders.closing import Closing
from cafe.orders.department import ORDERS
from cafe.orders.desk import Desk, load_ids_and_keys
from cafe.orders.dispatcher import Dispatcher, Rules, load_until
from cafe.orders.messages import CloseShop, CountQueue, CutOff, LoadOrders
from cafe.orders.order_log import OrderLog
from cafe.settings import Settings, parse_hosts
from cafe.shop.apps import client_app, worker_app
from cafe.shop.clock import start_clock
from cafe.shop.doors import GRACE_SHARE, Door, open_door, read_doors
from cafe.shop.housekeeping import keep_house

MAILBOX = 10_000
"""Messages that an actor's mailbox holds: every request that may be open at a time has room."""
RESTART = Restart(limit=5, within=60)
DRAIN_SHARE = 0.2
"""Of the closing time: how long the ports go on answering 503, so that load balancers see it."""
LEDGER_SHARE = 0.05
"""Of the closing time: how long the ledger may write at the end, and then disconnect."""
READY_SECONDS = 1.0
"""How long the actors and the ledger may take to answer."""
RETRY_SECONDS = 1.0
"""Between two tries to reach the database at the start."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


@dataclass(slots=True)
class Shop:
    """Everything that has been started."""

    settings: Settings
    system: System
    limiter: Ref[RateLimiter]
    dispatcher: Ref[Dispatcher]
    ledger: Ledger
    closing: Closing
    doors_shut: trio.Event = field(default_factory=trio.Event)

    async def why_not_ready(self) -> str | None:
        """Give None when the shop takes orders, else a sentence."""
        if self.closing.refusal is not None:
            return "The shop is closing."
        why_not = "The actors do not answer."
        with trio.move_on_after(READY_SECONDS), suppress(ActorError):
            await self.dispatcher.ask(CountQueue())
            await self.limiter.ask(CountLimits())
            why_not = "The ledger cannot be written."
            await self.ledger.ping()
            return None
        return why_not

    async def cut_off(self, address: str, seconds: float) -> int:
        """Cancel the orders of a banned address that wait; return how many there were."""
        return await self.dispatcher.ask(CutOff(address, seconds))

    async def close(self) -> None:
        """Refuse new orders, answer everybody who waits, then shut the doors."""
        seconds = self.settings.closing_seconds
        drained = trio.current_time() + DRAIN_SHARE * seconds
        lost = LedgerUnavailable() if self.ledger.lost_by is not None else None
        self.closing.begin(retry_after=seconds, refusal=lost)
        with trio.move_on_at(drained):
            told = await self._dismiss_all()
            left = await self.dispatcher.ask(CountQueue())
            log.info("closing", customers_told=told, waiting=left.waiting, preparing=left.preparing)
        await trio.sleep_until(drained)
        self.ledger.give_up()
        self.doors_shut.set()

    async def _dismiss_all(self) -> int:
        while True:
            with suppress(ActorCrashed):
                return await self.dispatcher.ask(CloseShop())


async def run_shop(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run the shop until SIGTERM or SIGINT; a second signal ends the process at once.

    `announce` is given the lines with the real addresses, once both ports accept.
    Raises ConfigError, LedgerError or BindError before anything is served, and LedgerError later,
    where the database is no longer the one that the shop has written to.
    """
    doors = read_doors(settings)
    url = settings.database_url.get_secret_value()
    # From the start: whoever has been told that the shop is open may close it.
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            closing_time = trio.Event()
            nursery.start_soon(tell_signal, signals, closing_time)
            async with opened(url, closing_time, LEDGER_SHARE * settings.closing_seconds) as store:
                if store is not None:
                    await open_until(closing_time.wait, settings, doors, store, announce)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def opened(
    url: str, closing_time: trio.Event, seconds: float
) -> AsyncGenerator[Store | None]:
    """Open the ledger's database, waiting for its server; None if it is closing time before that.

    At the end the database is given `seconds` to let go of its connections.
    """
    store = await first_of(partial(open_patiently, url), closing_time.wait)
    try:
        yield store
    finally:
        if store is not None:
            store.abort()
            with trio.move_on_after(seconds, shield=True):
                await trio.to_thread.run_sync(store.close, abandon_on_cancel=True)


async def open_patiently(url: str) -> Store:
    """Open the ledger, however long its server is away; raises LedgerError for all else.

    A server that refuses the login is no such outage: only another setting helps.
    """
    told = False
    while True:
        try:
            return await trio.to_thread.run_sync(open_store, url, abandon_on_cancel=True)
        except DatabaseGone as gone:
            if isinstance(gone, LoginRefused) or not waits_for_server(url):
                raise
            if not told:
                log.warning("the database is awaited", detail=str(gone))
            told = True
            await trio.sleep(RETRY_SECONDS)


async def open_until(
    closing_time: Callable[[], Awaitable[None]],
    settings: Settings,
    doors: tuple[Door, Door],
    store: Storing,
    announce: Callable[[str], None],
) -> None:
    """Run the shop until `closing_time` returns, then close it."""
    registry, watching = CollectorRegistry(), PrometheusInstrument("cafe_actor")
    registry.register(watching)
    # When the doors are shut nothing is left to do but what the actors have queued.
    grace = GRACE_SHARE * settings.closing_seconds / 2
    ledger = new_ledger(store, start_clock())
    ledger.listen(OrderLog(registry).hear)
    async with (
        running(ledger, LEDGER_SHARE * settings.closing_seconds, settings.closing_seconds),
        open_system(grace=grace, instruments=[watching, SlowTurns()]) as system,
    ):
        watching.watch(system)
        ttl = settings.key_ttl_seconds
        ids, keys = await load_ids_and_keys(ledger, ttl)
        shop = await start_actors(settings, system, ledger)
        desk = Desk(shop.dispatcher, ledger, ids, keys, ledger.now, ttl)
        client, worker = doors
        apps = make_apps(shop, desk, registry, client.admission, worker.admission)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load_when_refused, shop.dispatcher, ledger)
            nursery.start_soon(keep_house, ledger, settings)
            admissions = (client.admission, worker.admission)
            nursery.start_soon(enforce_bans, shop.limiter, shop.cut_off, admissions)
            nursery.start_soon(report_refusals, shop.limiter, admissions)
            async with trio.open_nursery() as serving:
                lines = [
                    *await open_door(serving, client, apps[0], shop.doors_shut),
                    *await open_door(serving, worker, apps[1], shop.doors_shut),
                ]
                for line in lines:
                    announce(line)
                await first_of(closing_time, ledger.wait_lost)
                await shop.close()
            nursery.cancel_scope.cancel()
        # The last word of each: what it did, whether it crashed, what it leaves undone.
        log.info("actors", tree=str(system.tree()).splitlines())
    log.info("closed")


async def start_actors(settings: Settings, system: System, ledger: Ledger) -> Shop:
    """Start the actors, those first that others depend on."""
    limits = Limits(
        requests=settings.limit_requests,
        worker_requests=settings.worker_limit_requests,
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
    closing = Closing()
    dispatcher = await system.start(
        dispatcher_factory(rules, ledger, closing),
        name="Dispatcher",
        mailbox=MAILBOX,
        restart=RESTART,
    )
    limiter = await system.start(
        partial(RateLimiter, limits), name="RateLimiter", mailbox=MAILBOX, restart=RESTART
    )
    return Shop(settings, system, limiter, dispatcher, ledger, closing)


def dispatcher_factory(
    rules: Rules, ledger: Ledger, closing: Closing
) -> Callable[[], Awaitable[Dispatcher]]:
    """Give what makes a Dispatcher, first and after each crash; it waits for the database."""
    load = partial(load_until, ledger.wait_given_up, partial(ledger.open, ORDERS))

    async def make() -> Dispatcher:
        return Dispatcher(rules, ledger.now, load, await load(), closing)

    return make


async def load_when_refused(dispatcher: Ref[Dispatcher], ledger: Ledger) -> None:
    """Have the Dispatcher start again from what is committed when a row was refused, for ever."""
    while True:
        await ledger.wait_refused(ORDERS)
        with suppress(ActorCrashed):  # the next instance has loaded
            await dispatcher.ask(LoadOrders())


def make_apps(
    shop: Shop,
    desk: Desk,
    registry: CollectorRegistry,
    client: Admission,
    worker: Admission,
) -> tuple[ASGIApp, ASGIApp]:
    """Give the customers' and the baristas' applications."""
    metrics = RequestMetrics(registry)
    token, trusted = shop.settings.worker_token, parse_networks(shop.settings.trusted_proxies)
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
            trusted=trusted,
            why_not_ready=shop.why_not_ready,
            metrics=metrics,
        ),
        worker_app(
            desk,
            shop.limiter,
            shop.system,
            trusted=trusted,
            token=None if token is None else token.get_secret_value(),
            hosts=parse_hosts(shop.settings.worker_hosts),
            why_not_ready=shop.why_not_ready,
            expose=exposition.expose,
            metrics=metrics,
        ),
    )


async def tell_signal(signals: AsyncIterator[int], closing_time: trio.Event) -> None:
    """Set the event with the first of these signals; the next one ends the process at once."""
    signum = await anext(signals)
    log.info("signal", name=signal.Signals(signum).name)
    for either in (signal.SIGTERM, signal.SIGINT):
        signal.signal(either, signal.SIG_DFL)
    closing_time.set()
