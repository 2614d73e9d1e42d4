"""`GET /metrics`: histograms that are updated as things happen, and the counts of each owner.

Rule: no state is kept twice. The owner of a number is asked for it at each scrape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors import Ref
from cafe.ledger.ledger import LedgerStatistics
from cafe.limits.admission import Admission
from cafe.limits.rate_limiter import CountLimits, LimitCounts, RateLimiter
from cafe.offer import Offer
from cafe.operations.logs import dropped_lines

# It would add a second series to every counter, for the time at which the counter was created.
disable_created_metrics()  # type: ignore[no-untyped-call] # the library leaves it untyped


class HasStatistics(Protocol):
    """A ledger, of which only the statistics are used."""

    def statistics(self) -> LedgerStatistics:
        """Return the ledger's statistics."""
        ...


@dataclass(frozen=True, slots=True)
class Exposition:
    """The owners of the numbers."""

    registry: CollectorRegistry
    """Histograms and counters, and the instrument that has the actors' statistics."""
    offers: Sequence[Offer]
    """The offers of the departments."""
    ledger: HasStatistics
    limiter: Ref[RateLimiter]
    admissions: Mapping[str, Admission]
    """By app."""

    async def expose(self) -> bytes:
        """Ask the owners, and return everything in Prometheus's text format."""
        snapshot = Snapshot(
            departments=[one for offer in self.offers for one in await offer.metrics()],
            limits=await self.limiter.ask(CountLimits()),
            ledger=self.ledger.statistics(),
            admissions=self.admissions,
        )
        now = CollectorRegistry()
        now.register(snapshot)
        ProcessCollector(registry=now)  # processor time, memory, descriptors, time of the start
        return generate_latest(self.registry) + generate_latest(now)


@dataclass(frozen=True, slots=True, eq=False)  # a registry keeps its collectors by identity
class Snapshot(Collector):
    """The answers of the owners, at one scrape."""

    departments: Sequence[Metric]
    limits: LimitCounts
    ledger: LedgerStatistics
    admissions: Mapping[str, Admission]

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        yield CounterMetricFamily(
            "cafe_log_lines_dropped",
            "Log lines not written, because their reader stalls or is gone.",
            dropped_lines(),
        )
        yield from self.departments
        yield from self._ledger()
        yield from self._limits()
        yield from self._connections()
        yield from self._kernel()

    def _ledger(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "cafe_ledger_uncommitted",
            "Changes that are not committed yet.",
            self.ledger.uncommitted,
        )
        yield GaugeMetricFamily(
            "cafe_ledger_position", "Position of the last event.", self.ledger.position
        )
        yield CounterMetricFamily(
            "cafe_ledger_groups", "Groups of changes committed.", self.ledger.groups
        )
        yield CounterMetricFamily("cafe_ledger_events", "Events committed.", self.ledger.events)

    def _limits(self) -> Iterator[Metric]:
        refusals = CounterMetricFamily("cafe_refusals", "Refusals by limit.", labels=("limit",))
        for limit, number in sorted(self.limits.refused.items()):
            refusals.add_metric((limit,), number)
        yield refusals
        yield GaugeMetricFamily("cafe_bans_now", "Addresses banned now.", self.limits.banned)
        yield CounterMetricFamily("cafe_bans", "Bans imposed or lengthened.", self.limits.bans)
        yield GaugeMetricFamily(
            "cafe_addresses", "Addresses in the rate limiter's memory.", self.limits.addresses
        )
        yield GaugeMetricFamily(
            "cafe_limits_shared",
            "Whether all requests of the shop are counted together: 0 if a front has no Redis.",
            self.limits.shared,
        )

    def _connections(self) -> Iterator[Metric]:
        now = GaugeMetricFamily("cafe_connections_open", "Connections open.", labels=("app",))
        refused, shed, malformed, isolated = (
            CounterMetricFamily(f"cafe_connections_{what}", help_, labels=("app",))
            for what, help_ in (
                ("refused", "Connections refused when accepted."),
                ("shed", "Idle connections closed to make room for a new one."),
                ("malformed", "Connections closed because the client sent neither HTTP nor TLS."),
                ("isolated", "Connections ended by an unexpected exception, which is logged."),
            )
        )
        for app, admission in self.admissions.items():
            now.add_metric((app,), admission.open)
            refused.add_metric((app,), admission.refused)
            shed.add_metric((app,), admission.shed)
            malformed.add_metric((app,), admission.malformed)
            isolated.add_metric((app,), admission.isolated)
        yield from (now, refused, shed, malformed, isolated)

    def _kernel(self) -> Iterator[Metric]:
        filters = GaugeMetricFamily(
            "cafe_kernel_filter",
            "Whether the kernel drops the packets of banned addresses.",
            labels=("app",),
        )
        bans = GaugeMetricFamily(
            "cafe_kernel_bans", "Addresses whose packets the kernel drops now.", labels=("app",)
        )
        for app, admission in self.admissions.items():
            filters.add_metric((app,), admission.in_kernel is not None)
            bans.add_metric((app,), admission.in_kernel or 0)
        yield from (filters, bans)
