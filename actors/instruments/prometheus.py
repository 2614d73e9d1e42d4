"""PrometheusInstrument: every actor's mailbox, handling time and counts, as Prometheus metrics.

The one rule: a message costs two readings of the clock, and no lock. What an actor counts itself is
not counted again here: it is read at each scrape.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from actors.message import Message
from actors.monitoring import ActorStatistics, Instrument
from actors.ref import Ref
from actors.system import System

BUCKETS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""In seconds: from a plain handler that does almost nothing to an async one that waits."""

COUNTERS = {
    "handled": "Messages handled.",
    "refused": "Messages refused.",
    "skipped": "Messages whose ask was cancelled.",
    "crashed": "Crashes.",
    "restarts": "Restarts.",
}


class PrometheusInstrument(Instrument, Collector):
    """An instrument for one system, and a collector for a registry of prometheus_client.

        instrument = PrometheusInstrument()
        prometheus_client.REGISTRY.register(instrument)
        async with open_system(instruments=[instrument]) as system:
            instrument.watch(system)

    With the prefix "actor" the metrics are the gauge `actor_queued`, the counters
    `actor_handled_total`, `_refused_total`, `_skipped_total`, `_crashed_total` and
    `_restarts_total`, with the meanings of ActorStatistics, and the histogram
    `actor_handling_seconds`: the time from the start of a handler to its end, with the waits of an
    async one. The label `actor` is the actor's name.

    Only running actors are exported, each as some twenty series. So a thousand actors with names of
    their own are twenty thousand series, and Prometheus keeps a series for as long as it keeps
    data. An actor that has stopped is forgotten; what it did since the last scrape is lost. A new
    one of the same name starts at zero, which Prometheus treats as a restart. So `named` chooses
    actors by name: leave out those that come and go.

    The clock returns seconds; `buckets` are upper bounds of them, ascending. Figures are read
    without a lock, so a scrape in another thread may mix slightly different moments.
    """

    def __init__(
        self,
        prefix: str = "actor",
        *,
        named: Callable[[str], bool] = lambda _name: True,
        buckets: Sequence[float] = BUCKETS,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._prefix = prefix
        self._named = named
        self._buckets = tuple(buckets)
        self._clock = clock
        self._seen: WeakKeyDictionary[Ref[Any], Handling] = WeakKeyDictionary()
        self._system: System | None = None

    def watch(self, system: System) -> None:
        """Export all actors of the system, even those that have had no message yet."""
        self._system = system

    def started(self, actor: Ref[Any], message: Message[Any, Any]) -> None:  # noqa: ARG002
        """Note when the handler begins; an actor handles one message at a time."""
        handling = self._seen.get(actor)
        if handling is None:
            handling = self._seen[actor] = Handling(self._buckets)
        handling.began = self._clock()

    def finished(self, actor: Ref[Any], message: Message[Any, Any]) -> None:  # noqa: ARG002
        """Count the handler's time."""
        handling = self._seen[actor]
        seconds = self._clock() - handling.began
        handling.total += seconds
        handling.times[bisect_left(self._buckets, seconds)] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics at this moment; prometheus_client calls this."""
        prefix, labels = self._prefix, ("actor",)
        queued = GaugeMetricFamily(f"{prefix}_queued", "Messages queued.", labels=labels)
        counters = {
            what: CounterMetricFamily(f"{prefix}_{what}", text, labels=labels)
            for what, text in COUNTERS.items()
        }
        seconds = HistogramMetricFamily(
            f"{prefix}_handling_seconds", "From a handler's start to its end.", labels=labels
        )
        for actor, handling in self._shown():
            queued.add_metric((actor.name,), actor.queued)
            for what, counter in counters.items():
                counter.add_metric((actor.name,), getattr(actor, what))
            seconds.add_metric((actor.name,), handling.cumulated(), handling.total)
        yield from (queued, *counters.values(), seconds)

    def _shown(self) -> "list[tuple[ActorStatistics, Handling]]":
        idle = Handling(self._buckets)
        shown = {
            one.name: (one, idle) for one in (() if self._system is None else self._system.tree())
        }
        # Not items(), which would notice a change by another thread, and raise.
        for weak in self._seen.keyrefs():
            ref = weak()
            # A Ref is in a reference cycle with its cell, so it outlives the actor for a while.
            if ref is not None and (actor := ref.statistics()).state != "stopped":
                shown[actor.name] = actor, self._seen[ref]
        return [one for name, one in shown.items() if self._named(name)]


class Handling:
    """How long one actor's handlers have taken."""

    __slots__ = ("_bounds", "began", "times", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.began = 0.0
        self.total = 0.0
        self._bounds = bounds
        # One count for each bucket, and a last one for longer times.
        self.times = [0] * (len(bounds) + 1)

    def cumulated(self) -> list[tuple[str, float]]:
        """Return each bucket's upper bound, and how many messages took no longer."""
        names = [*map(str, self._bounds), "+Inf"]
        return list(zip(names, accumulate(self.times), strict=True))
