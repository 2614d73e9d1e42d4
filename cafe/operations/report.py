"""What became of the customers, as numbers and as a picture.

Rule: pure; everything is computed from the visits, nothing is printed.
"""

from __future__ import annotations

import importlib
import math
from collections import Counter
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.box import SIMPLE
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SERVED = 200
_MOST_BARS = 16
_WIDTH, _HEIGHT = 78, 13


@dataclass(frozen=True, slots=True)
class Visit:
    """One customer's visit: how long, and what came of it."""

    waited: float
    status: int | None
    """The HTTP status, or None where the connection gave no answer."""
    why: str = ""
    """Which limit, which reason, or what happened to the connection."""

    @property
    def outcome(self) -> str:
        """Name the visit's kind, like `200`, `429 waiting` or `no answer: ...`."""
        if self.status is None:
            return f"no answer: {self.why}"
        return f"{self.status} {self.why}".strip()


class Waits(NamedTuple):
    """The waits of those who were served, in seconds; percentiles by nearest rank."""

    shortest: float
    median: float
    p95: float
    longest: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a crowd of customers got."""

    customers: int
    served: tuple[float, ...]
    """The waits of those who got their 200, shortest first."""
    others: tuple[tuple[str, int], ...]
    """Every other outcome with its count, the most frequent first."""

    @classmethod
    def of(cls, visits: Sequence[Visit], customers: int) -> Summary:
        """Sum up the visits of `customers`; those without one were still waiting."""
        others = Counter(visit.outcome for visit in visits if visit.status != _SERVED)
        if unfinished := customers - len(visits):
            others["gave up at the end"] = unfinished
        served = sorted(visit.waited for visit in visits if visit.status == _SERVED)
        return cls(customers, tuple(served), tuple(others.most_common()))

    @property
    def all_served(self) -> bool:
        """True when every customer got a 200."""
        return len(self.served) == self.customers

    @property
    def waits(self) -> Waits | None:
        """The waits of the served, or None when nobody was."""
        if not self.served:
            return None
        return Waits(
            self.served[0], rank(self.served, 0.5), rank(self.served, 0.95), self.served[-1]
        )

    def rows(self) -> list[tuple[str, str]]:
        """Say it as rows of a name and a value; the same names for every summary."""
        others = "\n".join(f"{count} x {outcome}" for outcome, count in self.others)
        waits = self.waits or repeat(None)
        return [
            ("got their coffee (200)", f"{len(self.served)} of {self.customers}"),
            ("got something else", others or "nobody"),
            *(
                (f"wait, {name}", "-" if seconds is None else f"{seconds:.2f} s")
                for name, seconds in zip(Waits._fields, waits, strict=False)
            ),
        ]


def comparison(columns: Mapping[str, Summary]) -> Table:
    """Lay summaries side by side, a column for each title."""
    table = Table("", *columns, box=SIMPLE)
    for rows in zip(*(summary.rows() for summary in columns.values()), strict=True):
        table.add_row(rows[0][0], *(value for _, value in rows))
    return table


def rank(ordered: Sequence[float], share: float) -> float:
    """Give a percentile by nearest rank, of values in ascending order."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def bar_width(longest: float) -> float:
    """Choose the round width, 1, 2 or 5 times a power of ten, of at most 16 bars to `longest`."""
    power = 10.0 ** math.floor(math.log10(max(longest, 0.001) / _MOST_BARS))
    return next(width * power for width in (1, 2, 5, 10) if longest < width * power * _MOST_BARS)


def bars(waits: Sequence[float], width: float, number: int) -> list[int]:
    """Count the waits in each of `number` bars; a bar holds its lower edge."""
    counts = Counter(min(int(wait / width), number - 1) for wait in waits)
    return [counts[i] for i in range(number)]


def histograms(series: Mapping[str, Sequence[float]]) -> str:
    """Draw a histogram of waits for each title, all on the same axes so that they compare."""
    longest = max((max(waits) for waits in series.values() if waits), default=0.0)
    width = bar_width(longest)
    number = int(longest / width) + 1
    edges = [f"{i * width:g}" for i in range(number)]
    counted = {title: bars(waits, width, number) for title, waits in series.items()}
    tallest = max(max(counts) for counts in counted.values())
    return "\n".join(draw(title, edges, counts, tallest) for title, counts in counted.items())


def draw(title: str, edges: Sequence[str], counts: Sequence[int], tallest: int) -> str:
    """Draw one bar for each count above the name of its edge, on an axis up to `tallest`."""
    # Imported late, for it takes half a second; by name, for it ships no types.
    plotext: Any = importlib.import_module("plotext")
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(_WIDTH, _HEIGHT)
    figure.title(title)
    figure.draw(figure.bar(list(edges), list(counts), width=1))
    top = max(tallest, 1)
    ticks = sorted({0, top // 2, top})
    figure.ruler("x").lim(0.5, len(counts) + 0.5)
    figure.ruler("y").lim(0, top).ticks(ticks, [str(tick) for tick in ticks])
    picture: str = plotext.uncolorize(str(figure.build()))
    return "\n".join(line.rstrip() for line in picture.splitlines())
