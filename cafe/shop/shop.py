"""The composition root of a shop that is one process: `cafe serve`.

Rule: only this room starts anything, and it stops everything in reverse: it opens the ledger,
starts the actors in order, then both servers. On shutdown all waiting clients are answered, then
the ports close, the actors stop, and the ledger writes what is left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
import trio
from prometheus_client import CollectorRegistry

from actors import Actor, ActorError, Ref, Restart, System, open_system
from actors.instruments.prometheus import PrometheusInstrument
from actors.instruments.slow_turns import SlowTurns
from cafe.http.refusals import Closing
from cafe.ledger.database import shown_address
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.ledger import Ledger, new_ledger, running
from cafe.ledger.store import Storing
from cafe.limits.rate_limiter import CountLimits, Limits, RateLimiter
from cafe.offer import House
from cafe.operations.operator_api import NotReady
from cafe.settings import Settings
from cafe.shop.departments import OURS, Departments
from cafe.shop.housekeeping import keep_house
from cafe.shop.ports import GRACE_SHARE, Access, Port, read_access, read_ports
from cafe.shop.process import first_of, opened, start_clock, until_signalled
from cafe.shop.serving import Served, say_what_is_used, serve_ports

MAILBOX = 10_000
"""The size of an actor's mailbox: it has room for every request that may be open at a time."""
RESTART = Restart(limit=5, within=60)
ACTOR_METRICS = "cafe_actor"
"""The prefix of the actors' metrics."""
LEDGER_SHARE = 0.05
"""The share of the shutdown time for the ledger's last writes, and again for disconnecting."""
READY_SECONDS = 1.0
"""The time-out of a readiness check of the actors and the ledger."""

A = TypeVar("A", bound=Actor)

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


@dataclass(slots=True)
class Shop(Served):
    """A shop whose actors and ledger are in this process."""

    ledger: Ledger

    async def why_not_ready(self) -> NotReady | None:
        """Return why the shop takes no orders, or None if it does."""
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

    async def close(self) -> None:
        """Refuse new requests, answer all waiting clients, then close the ports."""
        lost = LedgerUnavailable() if self.ledger.lost_by is not None else None
        await self.answer_all(lost)
        self.ledger.give_up()
        self.ports_shut.set()


async def run_shop(
    settings: Settings, announce: Callable[[str], None], departments: Departments = OURS
) -> None:
    """Run the shop until SIGTERM or SIGINT; a second signal ends the process at once.

    `announce` is called with a line for each address, once both ports accept.
    Raises ConfigError, LedgerError or BindError before anything is served, and LedgerError later,
    if the database is no longer the one that the shop has written to.
    """
    ports = read_ports(settings)
    access = read_access(settings, ports[1].config)
    url = settings.ledger_url
    database = shown_address(url)  # before it is opened, which creates the file
    seconds = settings.closing_seconds

    async def serve(closing_time: trio.Event) -> None:
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

    await until_signalled(seconds, serve)


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
    registry, watching = new_registry()
    # Once the ports are closed, only the actors' queued messages are left.
    grace = GRACE_SHARE * settings.closing_seconds / 2
    ledger = new_ledger(store, start_clock())
    async with (
        running(ledger, LEDGER_SHARE * settings.closing_seconds, settings.closing_seconds),
        open_system(grace=grace, instruments=[watching, SlowTurns()]) as system,
    ):
        watching.watch(system)
        opening = partial(open_house, settings, system, ledger, registry, departments)
        shop = await first_of(opening, closing_time)
        if shop is None:  # the database may not answer, and no client was served
            ledger.give_up()
            return
        async with trio.open_nursery() as nursery:
            for offer in shop.offers:
                for task in (*offer.tasks, *offer.serving):
                    nursery.start_soon(task)
            nursery.start_soon(
                keep_house, ledger, settings.keep_days, departments.kept, shop.offers
            )
            doors = {port.name: port.admission for port in ports}
            apps = shop.apps(registry, doors, access, ledger, why_not_ready=shop.why_not_ready)

            async def served() -> None:
                say_what_is_used(ports, database=database)
                await first_of(closing_time, ledger.wait_lost)

            await serve_ports(shop, ports, apps, announce, served)
            nursery.cancel_scope.cancel()
        # The final statistics of each: handled, crashed, left undone.
        log.info("actors", tree=str(system.tree()).splitlines())
    log.info("closed")


def new_registry() -> tuple[CollectorRegistry, PrometheusInstrument]:
    """Return a registry, and the instrument registered in it for the actors' statistics."""
    registry, watching = CollectorRegistry(), PrometheusInstrument(ACTOR_METRICS)
    registry.register(watching)
    return registry, watching


async def open_house(
    settings: Settings,
    system: System,
    ledger: Ledger,
    registry: CollectorRegistry,
    departments: Departments,
    *,
    has_fronts: bool = False,
) -> Shop:
    """Start the RateLimiter, then each department's actors; return the shop."""

    async def start(factory: Callable[[], A] | Callable[[], Awaitable[A]], *, name: str) -> Ref[A]:
        return await system.start(factory, name=name, mailbox=MAILBOX, restart=RESTART)

    limiter = await start(partial(RateLimiter, limits_of(settings)), name="RateLimiter")
    closing = Closing()
    house = House(settings, start, ledger, limiter, closing, registry, has_fronts=has_fronts)
    return Shop(settings, system, limiter, closing, await departments.open(house), ledger=ledger)


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
