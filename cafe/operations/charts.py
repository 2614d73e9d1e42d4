"""Percentiles and bar charts, as plain text for a terminal.

Rule: pure; it returns numbers and text, and prints nothing.
"""

from __future__ import annotations

import importlib
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_BARS = 16
_WIDTH, _HEIGHT = 78, 13


def rank(ordered: Sequence[float], share: float) -> float:
    """Return a percentile by nearest rank; `ordered` is ascending and not empty."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def bar_width(longest: float) -> float:
    """Return the least width, 1, 2 or 5 times a power of ten, of at most 16 bars to `longest`."""
    power = 10.0 ** math.floor(math.log10(max(longest, 0.001) / _MOST_BARS))
    return next(width * power for width in (1, 2, 5, 10) if longest < width * power * _MOST_BARS)


def bars(waits: Sequence[float], width: float, number: int) -> list[int]:
    """Count the waits in each of `number` bars; a bar includes its lower edge."""
    counts = Counter(min(int(wait / width), number - 1) for wait in waits)
    return [counts[i] for i in range(number)]


def histograms(series: Mapping[str, Sequence[float]]) -> str:
    """Draw a histogram of waits for each title, all on the same axes."""
    longest = max((max(waits) for waits in series.values() if waits), default=0.0)
    width = bar_width(longest)
    number = int(longest / width) + 1
    edges = [f"{i * width:g}" for i in range(number)]
    counted = {title: bars(waits, width, number) for title, waits in series.items()}
    tallest = max(max(counts) for counts in counted.values())
    return "\n".join(draw(title, edges, counts, tallest) for title, counts in counted.items())


def draw(title: str, edges: Sequence[str], counts: Sequence[int], tallest: int) -> str:
    """Draw one bar for each count above the name of its edge, on an axis up to `tallest`."""
    # Imported late, because it takes half a second; by name, because it ships no types.
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
