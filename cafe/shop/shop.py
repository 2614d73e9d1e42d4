"""The composition root: opens the ledger, starts the actors in order, then both servers.

Rule: only this room starts anything, and it stops everything in reverse. On shutdown all waiting
clients are answered, then the ports close, the actors stop, and the ledger writes what is left.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog
import trio
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from actors import Actor, ActorError, Ref, Restart, System, open_system
from actors.instruments.prometheus import PrometheusInstrument
from actors.instruments.slow_turns import SlowTurns
from cafe.http.authentication import nobody
from cafe.http.outer_layer import RequestMetrics
from cafe.http.refusals import Closing
from cafe.ledger.database import shown_address
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.ledger import Ledger, new_ledger, running
from cafe.ledger.store import Storing
from cafe.limits.address import parse_networks
from cafe.limits.admission import Admission
from cafe.limits.guard import enforce_bans, report_refusals
from cafe.limits.rate_limiter import CountLimits, Limits, RateLimiter
from cafe.offer import House, Offer
from cafe.operations.metrics import Exposition
from cafe.operations.operator_api import NotReady
from cafe.setting_types import parse_hosts, parse_origins
from cafe.settings import Settings
from cafe.shop.departments import OURS, Departments
from cafe.shop.housekeeping import keep_house
from cafe.shop.ports import (
    GRACE_SHARE,
    Access,
    Port,
    client_app,
    default_file,
    open_port,
    read_access,
    read_ports,
    worker_app,
)
from cafe.shop.process import end_late, first_of, opened, start_clock, tell_signal

MAILBOX = 10_000
"""Messages that an actor's mailbox holds: every request that may be open at a time has room."""
RESTART = Restart(limit=5, within=60)
DRAIN_SHARE = 0.2
"""Of the shutdown time: how long the ports still answer 503, for load balancers to see it."""
LEDGER_SHARE = 0.05
"""Of the shutdown time: how long the ledger may write at the end, and then disconnect."""
READY_SECONDS = 1.0
"""How long the actors and the ledger may take to answer a readiness check."""

A = TypeVar("A", bound=Actor)

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


@dataclass(slots=True)
class Shop:
    """Everything that has been started."""

    settings: Settings
    system: System
    limiter: Ref[RateLimiter]
    ledger: Ledger
    closing: Closing
    offers: tuple[Offer, ...]
    ports_shut: trio.Event = field(default_factory=trio.Event)

    async def why_not_ready(self) -> NotReady | None:
        """Return None if the shop takes orders."""
        if self.closing.refusal is not None:
            return NotReady("closing", "The shop is closing.")
        why_not = NotReady("actors", "The actors do not answer.")
        with trio.move_on_after(READY_SECONDS), suppress(ActorError):
            for offer in self.offers:
                await offer.answers()
            await self.limiter.ask(CountLimits())
            why_not = NotReady("ledger", "The ledger cannot be written.")
            await self.ledger.ping()
            return None
        return why_not

    async def cut_off(self, address: str, seconds: float) -> int:
        """Give up what a banned address has in each department; return how much that was."""
        return sum([await offer.cut_off(address, seconds) for offer in self.offers])

    async def close(self) -> None:
        """Refuse new requests, answer all who wait, then close the ports."""
        seconds = self.settings.closing_seconds
        drained = trio.current_time() + DRAIN_SHARE * seconds
        lost = LedgerUnavailable() if self.ledger.lost_by is not None else None
        self.closing.begin(retry_after=seconds, refusal=lost)
        with trio.move_on_at(drained):
            done: dict[str, int] = {}
            for offer in self.offers:
                done.update(await offer.close())
            log.info("closing", **done)
        await trio.sleep_until(drained)
        self.ledger.give_up()
        self.ports_shut.set()


async def run_shop(
    settings: Settings, announce: Callable[[str], None], departments: Departments = OURS
) -> None:
    """Run the shop until SIGTERM or SIGINT; a second signal ends the process at once.

    `announce` is called with a line for each address, once both ports accept.
    Raises ConfigError, LedgerError or BindError before anything is served, and LedgerError later,
    where the database is no longer the one that the shop has written to.
    """
    ports = read_ports(settings)
    access = read_access(settings, ports[1].config)
    url = settings.ledger_url
    database = shown_address(url)  # before it is opened: then a new file is there
    seconds = settings.closing_seconds
    # From the start: the process that is told the addresses may send a signal at once.
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            closing_time, scope = trio.Event(), trio.CancelScope()
            nursery.start_soon(tell_signal, signals, closing_time)
            nursery.start_soon(end_late, closing_time, seconds, scope)
            with scope:
                async with opened(url, closing_time, LEDGER_SHARE * seconds) as store:
                    if store is not None:
                        await open_until(
                            closing_time.wait,
                            settings,
                            ports,
                            store,
                            database=database,
                            access=access,
                            announce=announce,
                            departments=departments,
                        )
            nursery.cancel_scope.cancel()


async def open_until(
    closing_time: Callable[[], Awaitable[None]],
    settings: Settings,
    ports: tuple[Port, Port],
    store: Storing,
    *,
    database: str,
    access: Access,
    announce: Callable[[str], None],
    departments: Departments,
) -> None:
    """Run the shop until `closing_time` returns, then close it."""
    registry, watching = CollectorRegistry(), PrometheusInstrument("cafe_actor")
    registry.register(watching)
    # Once the ports are closed, only what the actors have queued is left to do.
    grace = GRACE_SHARE * settings.closing_seconds / 2
    ledger = new_ledger(store, start_clock())
    async with (
        running(ledger, LEDGER_SHARE * settings.closing_seconds, settings.closing_seconds),
        open_system(grace=grace, instruments=[watching, SlowTurns()]) as system,
    ):
        watching.watch(system)
        opening = partial(open_house, settings, system, ledger, registry, departments)
        shop = await first_of(opening, closing_time)
        if shop is None:  # the database may not answer, and nobody has been served
            ledger.give_up()
            return
        client, worker = ports
        apps = make_apps(shop, registry, client.admission, worker.admission, access)
        async with trio.open_nursery() as nursery:
            for task in (task for offer in shop.offers for task in offer.tasks):
                nursery.start_soon(task)
            nursery.start_soon(
                keep_house, ledger, settings.keep_days, departments.kept, shop.offers
            )
            admissions = (client.admission, worker.admission)
            nursery.start_soon(enforce_bans, shop.limiter, shop.cut_off, admissions)
            nursery.start_soon(report_refusals, shop.limiter, admissions)
            async with trio.open_nursery() as serving:
                lines = [
                    *await open_port(serving, client, apps[0], shop.ports_shut),
                    *await open_port(serving, worker, apps[1], shop.ports_shut),
                ]
                for line in lines:
                    announce(line)
                say_what_is_used(database, ports)
                await first_of(closing_time, ledger.wait_lost)
                await shop.close()
            nursery.cancel_scope.cancel()
        # The final statistics of each: handled, crashed, left undone.
        log.info("actors", tree=str(system.tree()).splitlines())
    log.info("closed")


def say_what_is_used(database: str, ports: Iterable[Port]) -> None:
    """Log the database and the files of this shop, and warn of files that are missing here.

    Both depend on the folder in which the shop is started: in another one, its orders, its TLS and
    its time-outs are not there, and nothing else would tell.
    """
    files = {port.name: port.config.file for port in ports}
    log.info(
        "using",
        database=database,
        **{
            f"{name}_config": str(file.absolute()) if file else "built-in defaults"
            for name, file in files.items()
        },
    )
    for name, file in files.items():
        if file is None:
            log.warning(
                "built-in defaults are used",
                missing=str(default_file(name).absolute()),
                detail=f"start in the folder that has it, or name it with --{name}-config",
            )


async def open_house(
    settings: Settings,
    system: System,
    ledger: Ledger,
    registry: CollectorRegistry,
    departments: Departments,
) -> Shop:
    """Start the RateLimiter, then each department's actors."""

    async def start(factory: Callable[[], A] | Callable[[], Awaitable[A]], *, name: str) -> Ref[A]:
        return await system.start(factory, name=name, mailbox=MAILBOX, restart=RESTART)

    limiter = await start(partial(RateLimiter, limits_of(settings)), name="RateLimiter")
    closing = Closing()
    house = House(settings, start, ledger, limiter, closing, registry)
    return Shop(settings, system, limiter, ledger, closing, await departments.open(house))


def limits_of(settings: Settings) -> Limits:
    """Return the settings that concern the RateLimiter."""
    return Limits(
        requests=settings.limit_requests,
        worker_requests=settings.worker_limit_requests,
        window_seconds=settings.limit_window_seconds,
        waiting=settings.limit_waiting,
        ban_after=settings.ban_after,
        ban_seconds=settings.ban_seconds,
    )


def make_apps(
    shop: Shop,
    registry: CollectorRegistry,
    client: Admission,
    worker: Admission,
    access: Access,
) -> tuple[ASGIApp, ASGIApp]:
    """Return the customers' and the staff's applications."""
    metrics = RequestMetrics(registry)
    trusted = parse_networks(shop.settings.trusted_proxies)
    authenticate = next((one.authenticate for one in shop.offers if one.authenticate), nobody)
    exposition = Exposition(
        registry,
        shop.offers,
        shop.ledger,
        shop.limiter,
        {"client": client, "worker": worker},
    )
    return (
        client_app(
            shop.offers,
            shop.limiter,
            trusted=trusted,
            authenticate=authenticate,
            why_not_ready=shop.why_not_ready,
            metrics=metrics,
            origins=parse_origins(shop.settings.cors_origins),
        ),
        worker_app(
            shop.offers,
            shop.limiter,
            shop.system,
            trusted=trusted,
            authenticate=authenticate,
            access=access,
            hosts=parse_hosts(shop.settings.worker_hosts),
            why_not_ready=shop.why_not_ready,
            expose=exposition.expose,
            metrics=metrics,
        ),
    )
