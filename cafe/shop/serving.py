"""The common part of a shop in one process and a front: both ports, and the tasks beside them.

Rule: it serves the offers that it is given, and depends on neither a database nor a bus.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
import trio
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from actors import Ref, System
from cafe.http.authentication import nobody
from cafe.http.outer_layer import RequestMetrics
from cafe.http.refusals import CafeRefusal, Closing
from cafe.ledger.view import LedgerView
from cafe.limits.address import parse_networks
from cafe.limits.admission import Admission
from cafe.limits.guard import enforce_bans, report_refusals
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import Offer
from cafe.operations.metrics import Exposition
from cafe.setting_types import parse_hosts, parse_origins
from cafe.settings import Settings
from cafe.shop.apps import WhyNotReady, client_app, worker_app
from cafe.shop.ports import Access, Port, default_file, open_port

DRAIN_SHARE = 0.2
"""The share of the shutdown time in which the ports still answer 503, for load balancers."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


@dataclass(slots=True)
class Served:
    """A shop behind the ports."""

    settings: Settings
    system: System
    limiter: Ref[RateLimiter]
    closing: Closing
    offers: tuple[Offer, ...]
    ports_shut: trio.Event = field(default_factory=trio.Event, kw_only=True)

    async def cut_off(self, address: str, seconds: float) -> int:
        """Cancel what a banned address has in each department; return how much that was."""
        return sum([await offer.cut_off(address, seconds) for offer in self.offers])

    async def answer_all(self, refusal: CafeRefusal | None = None) -> None:
        """Refuse new requests, with this refusal or as closing, and answer all waiting clients."""
        seconds = self.settings.closing_seconds
        drained = trio.current_time() + DRAIN_SHARE * seconds
        self.closing.begin(retry_after=seconds, refusal=refusal)
        with trio.move_on_at(drained):
            done: dict[str, int] = {}
            for offer in self.offers:
                done.update(await offer.close())
            log.info("closing", **done)
        await trio.sleep_until(drained)

    async def close(self) -> None:
        """Refuse new requests, answer all waiting clients, then close the ports."""
        await self.answer_all()
        self.ports_shut.set()

    def apps(
        self,
        registry: CollectorRegistry,
        admissions: Mapping[str, Admission],
        access: Access,
        ledger: LedgerView,
        *,
        why_not_ready: WhyNotReady,
        base: str = "",
    ) -> tuple[ASGIApp, ASGIApp]:
        """Return the customers' and the staff's applications, which are served at `base` as well.

        The metrics of both include the `admissions` of the ports.
        """
        metrics, settings = RequestMetrics(registry), self.settings
        trusted = parse_networks(settings.trusted_proxies)
        authenticate = next((one.authenticate for one in self.offers if one.authenticate), nobody)
        exposition = Exposition(registry, self.offers, ledger, self.limiter, admissions)
        client = client_app(
            self.offers,
            self.limiter,
            trusted=trusted,
            authenticate=authenticate,
            why_not_ready=why_not_ready,
            metrics=metrics,
            origins=parse_origins(settings.cors_origins),
            base=base,
        )
        worker = worker_app(
            self.offers,
            self.limiter,
            self.system.tree,
            trusted=trusted,
            authenticate=authenticate,
            access=access,
            hosts=parse_hosts(settings.worker_hosts),
            why_not_ready=why_not_ready,
            expose=exposition.expose,
            metrics=metrics,
            base=base,
        )
        return client, worker


class Serving(Protocol):
    """The shop or shops behind the ports."""

    limiter: Ref[RateLimiter]
    ports_shut: trio.Event

    async def cut_off(self, address: str, seconds: float) -> int:
        """Cancel what a banned address has; return how much that was."""
        ...

    async def close(self) -> None:
        """Refuse new requests, answer all waiting clients, then close the ports."""
        ...


async def serve_ports(
    shop: Serving,
    ports: Sequence[Port],
    apps: Sequence[ASGIApp],
    announce: Callable[[str], None],
    while_open: Callable[[], Awaitable[None]],
) -> None:
    """Serve each app at its port, and enforce bans there.

    Runs `while_open` once all addresses are announced; when it returns, closes the shop.
    """
    admissions = [port.admission for port in ports]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(enforce_bans, shop.limiter, shop.cut_off, admissions)
        nursery.start_soon(report_refusals, shop.limiter, admissions)
        async with trio.open_nursery() as serving:
            lines: list[str] = []
            for port, app in zip(ports, apps, strict=True):
                lines += await open_port(serving, port, app, shop.ports_shut)
            for line in lines:
                announce(line)
            await while_open()
            await shop.close()
        nursery.cancel_scope.cancel()


def say_what_is_used(ports: Sequence[Port], **places: str) -> None:
    """Log the places and the files that are used, with a warning for each missing file.

    Both depend on the folder in which the shop is started: in another folder it would silently have
    other orders, and lack its TLS and time-outs.
    """
    files = {port.name: port.config.file for port in ports}
    log.info(
        "using",
        **places,
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
