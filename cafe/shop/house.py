"""The composition root of a house: the ledger and all actors, for fronts on other machines.

Rule: as in `shop.py`, it starts in order and stops in reverse. A house that does not own the shop
stands by: it serves only its health and metrics until the owner's session in PostgreSQL ends. The
ledger's lock alone decides which house owns the shop; Redis only carries messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
import trio
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.types import Scope

from actors import System, Tree, open_system
from actors.instruments.prometheus import PrometheusInstrument
from actors.instruments.slow_turns import SlowTurns
from cafe.bus.answering import Answering
from cafe.bus.invoking import Askable, askable_of
from cafe.bus.streams import Bus, Names, open_bus
from cafe.http.authentication import Caller, nobody
from cafe.http.outer_layer import RequestMetrics
from cafe.ledger.database import shown_address
from cafe.ledger.ledger import LedgerStatistics, new_ledger, running
from cafe.ledger.log import read_page
from cafe.ledger.store import Store
from cafe.limits.address import parse_networks
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import Offer
from cafe.operations.metrics import Exposition
from cafe.operations.operator_api import NotReady
from cafe.pace import Pace
from cafe.setting_types import parse_hosts
from cafe.settings import Settings, SettingsError
from cafe.shop.apps import HOUSE, worker_app
from cafe.shop.departments import OURS, Departments
from cafe.shop.housekeeping import keep_house
from cafe.shop.ports import GRACE_SHARE, open_port, read_access, read_house_port
from cafe.shop.process import first_of, opened, start_clock, until_signalled
from cafe.shop.shop import LEDGER_SHARE, MAILBOX, Shop, limits_of, new_registry, open_house

NO_LEDGER: Final = LedgerStatistics(0, 0, 0, 0)
"""The statistics until the ledger is open."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


class Ownership:
    """Whether this house owns the shop, for its health and its metrics."""

    def __init__(self, bus: Bus, system: System) -> None:
        """Begin without the shop; `system` has the actors that run in a standby, too."""
        self.shop: Shop | None = None
        self.answering: Answering | None = None
        self._bus = bus
        self._system = system
        self._stands_by = False

    def stand_by(self) -> None:
        """Log and record that another house owns the shop."""
        log.info("standby")
        self._stands_by = True

    def begin(self, shop: Shop, answering: Answering, term: int) -> None:
        """Log and record that this house owns the shop."""
        log.info("owner", term=term)
        self.shop, self.answering = shop, answering

    def tree(self) -> Tree:
        """Return the tree of the actors."""
        return self._system.tree() if self.shop is None else self.shop.system.tree()

    async def authenticate(self, scope: Scope) -> Caller | None:
        """Return the caller of a request; None without the shop, which has the accounts."""
        offers = () if self.shop is None else self.shop.offers
        found = next((one.authenticate for one in offers if one.authenticate), nobody)
        return await found(scope)

    async def why_not_ready(self) -> NotReady | None:
        """Return None if this house owns the shop and takes orders; otherwise the reason."""
        if self.shop is None:
            if self._stands_by:
                return NotReady("standby", "Another house owns the shop; this one stands by.")
            return NotReady("ledger", "The ledger is not open yet.")
        if self._bus.is_away:
            return NotReady("bus", "Redis does not answer, so no front is answered.")
        return await self.shop.why_not_ready()

    def statistics(self) -> LedgerStatistics:
        """Return the statistics of the ledger; all 0 until this house owns the shop."""
        return NO_LEDGER if self.shop is None else self.shop.ledger.statistics()

    async def metrics(self) -> Iterable[Metric]:
        """Return the metrics of the house and of its departments."""
        fronts = 0 if self.answering is None else self.answering.fronts
        has_bus = not self._bus.is_away
        ours = [
            GaugeMetricFamily("cafe_house_owner", "Whether it owns the shop.", bool(self.shop)),
            GaugeMetricFamily("cafe_bus_available", "Whether Redis answers.", has_bus),
            GaugeMetricFamily("cafe_bus_fronts", "Fronts that are answered.", fronts),
        ]
        offers = () if self.shop is None else self.shop.offers
        return ours + [one for offer in offers for one in await offer.metrics()]


async def run_house(
    settings: Settings, announce: Callable[[str], None], departments: Departments = OURS
) -> None:
    """Own a shop for fronts, and stand by while another house owns it; until SIGTERM or SIGINT.

    `announce` is called with the address of its health. Raises ConfigError, SettingsError,
    LedgerError or BindError before anything is served, and LedgerError later, if another house
    has taken over the shop.
    """
    if settings.bus is None:
        raise SettingsError("A house needs CAFE_BUS (--bus), such as redis://127.0.0.1:6379/0")
    port = read_house_port(settings)
    access = read_access(settings, port.config, "house's")
    url = settings.bus.get_secret_value()

    async def serve(closing_time: trio.Event) -> None:
        registry, watching = new_registry()
        async with open_bus(url, Names(settings.shop)) as bus, open_system() as system:
            make = partial(RateLimiter, limits_of(settings))
            limiter = await system.start(make, name="RateLimiter", mailbox=MAILBOX)
            ownership = Ownership(bus, system)
            offer = Offer(name="house", metrics=ownership.metrics)
            admissions = {port.name: port.admission}
            exposition = Exposition(registry, [offer], ownership, limiter, admissions)
            app = worker_app(
                (),
                limiter,
                ownership.tree,
                trusted=parse_networks(settings.trusted_proxies),
                authenticate=ownership.authenticate,
                access=access,
                hosts=parse_hosts(settings.worker_hosts),
                why_not_ready=ownership.why_not_ready,
                expose=exposition.expose,
                metrics=RequestMetrics(registry),
                front=HOUSE,
            )
            shut = trio.Event()
            async with trio.open_nursery() as serving:
                for line in await open_port(serving, port, app, shut):
                    announce(line)
                owning = Owning(settings, bus, registry, watching, departments, ownership)
                try:
                    await owning.run(closing_time)
                finally:
                    shut.set()

    await until_signalled(settings.closing_seconds, serve)


@dataclass(frozen=True, slots=True)
class Owning:
    """Waits until it owns the shop, and then runs it."""

    settings: Settings
    bus: Bus
    registry: CollectorRegistry
    watching: PrometheusInstrument
    departments: Departments
    ownership: Ownership

    async def run(self, closing_time: trio.Event) -> None:
        """Stand by, then run the shop; returns when the event is set, or the shop is lost."""
        settings, stand_by = self.settings, self.ownership.stand_by
        log.info("using", database=shown_address(settings.ledger_url))
        seconds = LEDGER_SHARE * settings.closing_seconds
        async with opened(settings.ledger_url, closing_time, seconds, stand_by) as store:
            if store is not None:
                await self._own(store, closing_time)

    async def _own(self, store: Store, closing_time: trio.Event) -> None:
        settings, departments = self.settings, self.departments
        ledger = new_ledger(store, start_clock(), pace=Pace())
        seconds = LEDGER_SHARE * settings.closing_seconds
        grace = GRACE_SHARE * settings.closing_seconds / 2
        async with (
            running(ledger, seconds),
            open_system(grace=grace, instruments=[self.watching, SlowTurns()]) as system,
        ):
            self.watching.watch(system)
            opening = partial(
                open_house, settings, system, ledger, self.registry, departments, has_fronts=True
            )
            shop = await first_of(opening, closing_time.wait)
            if shop is None:
                ledger.give_up()
                return
            answering = Answering(
                self.bus, lambda: store.term, askable_in(shop), ledger, partial(front_gone, shop)
            )
            async with trio.open_nursery() as nursery:
                for task in (task for offer in shop.offers for task in offer.tasks):
                    nursery.start_soon(task)
                nursery.start_soon(
                    keep_house, ledger, settings.keep_days, departments.kept, shop.offers
                )
                nursery.start_soon(answering.run)
                self.ownership.begin(shop, answering, store.term)
                await first_of(closing_time.wait, ledger.wait_lost)
                if ledger.lost_by is None:
                    # Fronts get no refusals: they ask the next house what is not answered.
                    await answering.drain()
                ledger.give_up()
                nursery.cancel_scope.cancel()
            log.info("actors", tree=str(system.tree()).splitlines())
        log.info("closed")


def askable_in(shop: Shop) -> Askable:
    """Return the actors, queries and calls that a shop's departments offer to fronts."""
    return askable_of(
        [ref for offer in shop.offers for ref in offer.refs],
        [read_page, *(query for offer in shop.offers for query in offer.queries)],
        {name: call for offer in shop.offers for name, call in offer.calls.items()},
    )


async def front_gone(shop: Shop, front: str) -> None:
    """Release what a disconnected front held in each department."""
    given_up = sum([await offer.front_gone(front) for offer in shop.offers])
    log.warning("front gone", front=front, given_up=given_up)
