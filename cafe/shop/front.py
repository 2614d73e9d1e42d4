"""The composition root of a front: both ports, before houses that have the actors and ledgers.

Rule: as in `shop.py`, it starts in order and stops in reverse. It listens at once, and serves each
of its shops as soon as a house of that shop answers. It has no state that the house lacks: when
a front ends, only its connections are lost, and the orders that are bound to them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

import structlog
import trio
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.types import ASGIApp

from actors import ActorError, Ref, System, open_system
from actors.instruments.prometheus import PrometheusInstrument
from actors.instruments.slow_turns import SlowTurns
from cafe.bus.following_ledger import FollowingLedger
from cafe.bus.house_client import HouseClient, open_house_client
from cafe.bus.streams import Names, open_bus
from cafe.http.by_shop import ByShop, base_of
from cafe.http.refusals import CafeRefusal, Closing
from cafe.http.switch import Switch
from cafe.ledger.tables import metadata
from cafe.limits.admission import Admission
from cafe.limits.rate_limiter import CountLimits, RateLimiter
from cafe.limits.shared import open_shared_limits
from cafe.offer import Front, Offer
from cafe.operations.operator_api import NotReady
from cafe.setting_types import parse_shops
from cafe.settings import Settings, SettingsError
from cafe.shop.apps import closed_app, health_app
from cafe.shop.departments import OURS, Departments
from cafe.shop.ports import GRACE_SHARE, Access, Port, read_access, read_ports
from cafe.shop.process import start_clock, until_signalled
from cafe.shop.serving import Served, say_what_is_used, serve_ports
from cafe.shop.shop import ACTOR_METRICS, MAILBOX, READY_SECONDS, RESTART, limits_of

Only = Literal["client", "worker"]
ALONE_SECONDS: Final = 5.0
"""The time between warnings while no house answers."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


@dataclass(slots=True)
class FrontShop(Served):
    """A shop at a front: closed until its house is reached."""

    house: HouseClient
    ledger: FollowingLedger
    registry: CollectorRegistry
    base: str
    """The prefix of its paths at a front of several shops, otherwise empty."""
    is_reached: bool = False
    client: Switch = field(init=False)
    worker: Switch = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the closed applications."""
        self.client, self.worker = (
            Switch(closed_app(name, self.why_not_ready, self.base)) for name in ("client", "worker")
        )

    def open(
        self, offers: tuple[Offer, ...], doors: Mapping[str, Admission], access: Access
    ) -> None:
        """Replace the closed applications by those of the departments."""
        self.offers, self.is_reached = offers, True
        self.client.app, self.worker.app = self.apps(
            self.registry,
            doors,
            access,
            self.ledger,
            why_not_ready=self.why_not_ready,
            base=self.base,
        )

    async def why_not_ready(self) -> NotReady | None:
        """Return why the shop takes no orders at this front, or None if it does."""
        if self.closing.refusal is not None:
            return NotReady("closing", "This front is closing.")
        if self.house.is_away:
            return NotReady("bus", "Redis does not answer; this front counts limits by itself.")
        why_not = NotReady("house", "No house answers.")
        if not (self.house.has_house and self.is_reached):
            return why_not
        with trio.move_on_after(READY_SECONDS), suppress(ActorError, CafeRefusal):
            for offer in self.offers:
                await offer.answers()
            why_not = NotReady("actors", "The limits do not answer.")
            await self.limiter.ask(CountLimits())
            return None
        return why_not


@dataclass(slots=True)
class FrontShops:
    """All shops of a front, by name; a front without CAFE_SHOPS has one, under None."""

    limiter: Ref[RateLimiter]
    """Counts an address over all of the shops together."""
    shops: dict[str | None, FrontShop] = field(default_factory=dict[str | None, FrontShop])
    ports_shut: trio.Event = field(default_factory=trio.Event)

    async def cut_off(self, address: str, seconds: float) -> int:
        """Cancel what a banned address has in each shop; return how much that was."""
        return sum([await shop.cut_off(address, seconds) for shop in self.shops.values()])

    async def close(self) -> None:
        """Refuse new requests, answer all waiting clients, then close the ports."""
        async with trio.open_nursery() as nursery:
            for shop in self.shops.values():
                nursery.start_soon(shop.answer_all)
        self.ports_shut.set()

    async def why_not_ready(self) -> NotReady | None:
        """Return why one of the shops takes no orders at this front, or None if all do."""
        for shop in self.shops.values():
            if (why_not := await shop.why_not_ready()) is not None:
                return why_not
        return None

    def apps(self, hosts: Mapping[str, str]) -> tuple[ASGIApp, ASGIApp]:
        """Return the customers' and the staff's applications of all shops."""
        if None in self.shops:
            return self.shops[None].client, self.shops[None].worker
        named = {name: shop for name, shop in self.shops.items() if name is not None}
        bases = [shop.base for shop in named.values()]
        clients: dict[str, ASGIApp] = {name: shop.client for name, shop in named.items()}
        workers: dict[str, ASGIApp] = {name: shop.worker for name, shop in named.items()}
        return (
            ByShop(clients, hosts, health_app("client", self.why_not_ready, bases)),
            ByShop(workers, hosts, health_app("worker", self.why_not_ready, bases)),
        )


async def run_front(
    settings: Settings,
    announce: Callable[[str], None],
    departments: Departments = OURS,
    only: Only | None = None,
) -> None:
    """Serve one or more shops, at both ports or `only` one, until SIGTERM or SIGINT.

    `announce` is called with a line for each address, once the ports accept. Raises ConfigError,
    SettingsError or BindError before anything is served.
    """
    if settings.bus is None:
        raise SettingsError("A front needs CAFE_BUS (--bus), such as redis://127.0.0.1:6379/0")
    ports = read_ports(settings)
    access = read_access(settings, ports[1].config)

    doors = {port.name: port.admission for port in ports}

    async def serve(closing_time: trio.Event) -> None:
        async with open_shops(settings, departments, doors, access) as shops:
            await serve_front(
                shops, settings, ports, only=only, announce=announce, closing_time=closing_time
            )
        log.info("closed")

    await until_signalled(settings.closing_seconds, serve)


@asynccontextmanager
async def open_shops(
    settings: Settings, departments: Departments, doors: Mapping[str, Admission], access: Access
) -> AsyncGenerator[FrontShops]:
    """Yield all shops of a front; each opens once its house answers."""
    names: list[str | None] = [*parse_shops(settings.shops)] or [settings.shop]
    url = "" if settings.bus is None else settings.bus.get_secret_value()
    prefix = f"cafe:{'+'.join(name or 'cafe' for name in names)}:limits:"
    grace = GRACE_SHARE * settings.closing_seconds / 2
    watching = PrometheusInstrument(ACTOR_METRICS)
    async with (
        open_shared_limits(url, prefix, limits_of(settings)) as make_limiter,
        open_system(grace=grace, instruments=[watching, SlowTurns()]) as system,
        AsyncExitStack() as stack,
    ):
        watching.watch(system)
        limiter = await system.start(
            make_limiter, name="RateLimiter", mailbox=MAILBOX, restart=RESTART
        )
        shops = FrontShops(limiter)
        for name in names:
            of_shop = settings.model_copy(update={"shop": name})
            base = base_of(name) if name is not None and settings.shops else ""
            registry = CollectorRegistry()
            registry.register(watching)
            opening = open_front(of_shop, url, system, limiter, registry, base=base)
            shop, front, nursery = await stack.enter_async_context(opening)
            reaching = partial(reach, doors=doors, access=access)
            nursery.start_soon(reaching, shop, front, departments, nursery)
            shops.shops[name if base else None] = shop
        yield shops


@asynccontextmanager
async def open_front(
    settings: Settings,
    url: str,
    system: System,
    limiter: Ref[RateLimiter],
    registry: CollectorRegistry,
    *,
    base: str,
) -> AsyncGenerator[tuple[FrontShop, Front, trio.Nursery]]:
    """Yield a shop over the bus, the Front for its departments, and the nursery for its tasks.

    `system` has the front's own actors, and `registry` their metrics.
    """
    async with (
        open_bus(url, Names(settings.shop)) as bus,
        open_house_client(bus) as house,
        trio.open_nursery() as nursery,
    ):
        ledger = FollowingLedger(house, start_clock(), metadata.tables.values())
        closing = Closing()
        shop = FrontShop(
            settings,
            system,
            limiter,
            closing,
            (),
            house=house,
            ledger=ledger,
            registry=registry,
            base=base,
        )
        nursery.start_soon(warn_while_alone, house)
        yield shop, Front(settings, house, ledger, limiter, closing, registry), nursery
        nursery.cancel_scope.cancel()


async def reach(
    shop: FrontShop,
    front: Front,
    departments: Departments,
    nursery: trio.Nursery,
    *,
    doors: Mapping[str, Admission],
    access: Access,
) -> None:
    """Wait for the house, reach its departments, and open the shop."""
    await front.ledger.begin()
    offers = (*await departments.reach(front), bus_offer(front.house))
    nursery.start_soon(front.ledger.run)
    for task in (task for offer in offers for task in offer.serving):
        nursery.start_soon(task)
    shop.open(offers, doors, access)
    log.info("open", shop=front.settings.shop or "cafe")


async def serve_front(
    shops: FrontShops,
    settings: Settings,
    ports: tuple[Port, Port],
    *,
    only: Only | None,
    announce: Callable[[str], None],
    closing_time: trio.Event,
) -> None:
    """Serve the shops at both ports, or at one of them, until the event is set."""
    hosts = {host: name for name, host in parse_shops(settings.shops).items() if host}
    apps = shops.apps(hosts)
    served = [pair for pair in zip(ports, apps, strict=True) if only in (None, pair[0].name)]
    open_ports, open_apps = zip(*served, strict=True)

    async def while_open() -> None:
        fronts = " ".join(one.house.front for one in shops.shops.values())
        say_what_is_used(open_ports, fronts=fronts)
        await closing_time.wait()

    await serve_ports(shops, open_ports, open_apps, announce, while_open)


def bus_offer(house: HouseClient) -> Offer:
    """Return the metrics of the bus at a front, as an offer."""

    async def metrics() -> Iterable[Metric]:
        has_bus = not house.is_away
        return (
            GaugeMetricFamily("cafe_bus_available", "Whether Redis answers.", has_bus),
            GaugeMetricFamily("cafe_house_available", "Whether a house answers.", house.has_house),
            GaugeMetricFamily("cafe_bus_asks", "Asks that no house has answered yet.", house.open),
        )

    return Offer(name="bus", metrics=metrics)


async def warn_while_alone(house: HouseClient) -> None:
    """Log a warning every ALONE_SECONDS while no house answers; never returns."""
    while True:
        await trio.sleep(ALONE_SECONDS)
        if not house.has_house:
            log.warning("no house answers", bus_away=house.is_away)
