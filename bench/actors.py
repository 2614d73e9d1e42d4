"""The toolkit against the same exchanges by hand, Pykka, and itself without instruments.

Each comparison runs in processes of its own (`exchanges.py`). A ratio is the median of those of
neighbouring slices, and its middle half shows how certain it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from statistics import median, quantiles

from bench.exchanges import Rates
from bench.processes import program
from bench.report import Row, Scale, at_least, progress

SLICES_BARE = 2
"""Short slices in each process, for one of the other comparisons."""

Sides = Mapping[str, list[float]]


@dataclass(frozen=True, slots=True)
class Line:
    """One row: what is compared with which peer, and the target ratio."""

    group: str
    what: str
    peer_name: str
    peer: str = "peer"
    target: float | None = None

    def row(self, rates: Mapping[str, Sides]) -> Row:
        """Return the row; print how certain its ratio is."""
        ours, peers = rates[self.group]["actor"], rates[self.group][self.peer]
        ratios = [our / peer for our, peer in zip(ours, peers, strict=True)]
        ratio = median(ratios)
        low, _, high = quantiles(ratios, n=4)
        half = f"{low:.3f} to {high:.3f}"
        progress(f"{self.what}, {self.peer_name}: {ratio:.3f}, middle half of slices {half}")
        return Row(
            self.what,
            f"{median(ours):,.0f}/s",
            f"{median(peers):,.0f}/s",
            f"{self.peer_name} ({half})",
            ratio,
            *at_least(self.target, ratio),
        )


LINES = (
    Line("ask", "asks, 1 caller", "channel and trio.Event", target=0.75),
    Line("many", "asks, 100 callers", "channel and trio.Event", target=0.75),
    Line("drained", "asks, 100 callers", "the same, taking 64 at once"),
    Line("pykka", "asks, 1 caller", "Pykka, unpinned", target=5),
    Line("pykka", "asks, 1 caller", "Pykka on one core", peer="on one"),
    Line("pykka", "asks, 1 caller", "Pykka on two cores", peer="on two"),
    Line("off", "instruments off, 1 caller", "without the ifs", target=0.97),
    Line("off", "instruments off, 1 caller", "itself: the noise", peer="itself"),
    Line("off, many", "instruments off, 100 callers", "without the ifs", target=0.97),
    Line("off, many", "instruments off, 100 callers", "itself: the noise", peer="itself"),
    Line("watched", "an instrument on", "instruments off"),
    Line("async", "asks, async handler", "channel and trio.Event"),
    Line("deferred", "asks, deferred reply", "channel and trio.Event"),
    Line("tell", "tells", "channel"),
)


def run(comparison: str, *numbers: int) -> Rates:
    """Run one comparison in a process of its own."""
    with program("bench.exchanges", comparison, *map(str, numbers), most_seconds=120) as started:
        rates: Rates = json.loads(started.read())
    return rates


def pooled(runs: list[Rates]) -> Rates:
    """Concatenate the slices of several processes.

    The memory layout of a process favours one copy of the toolkit by a percent or two as long as
    the process lives, and another copy in the next process.
    """
    return {
        what: {name: list(chain(*(rates[what][name] for rates in runs))) for name in sides}
        for what, sides in runs[0].items()
    }


def measure(scale: Scale) -> list[Row]:
    """Run all comparisons, one after the other."""
    slices = 3 * scale.rounds
    rates = run("hand", slices) | run("pykka", slices)
    rates |= pooled([run("bare", SLICES_BARE * slices, process) for process in range(scale.rounds)])
    return [line.row(rates) for line in LINES]
