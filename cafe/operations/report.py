"""`cafe report`: a day's figures, as JSON, tables and a chart.

Rule: pure; nothing is computed here, and nothing is printed.
"""

from __future__ import annotations

import json
from datetime import date

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cafe.operations.charts import draw
from cafe.operations.figures import Day, Spread, Work, as_data, local
from cafe.operations.printable import printable

_MINUTES_FROM = 120.0  # seconds; shorter times are shown in seconds


def as_json(day: date, figures: Day) -> str:
    """Return the figures as JSON, with each unprintable character escaped: people read it too."""
    text = json.dumps(as_data(day, figures), ensure_ascii=False, indent=2)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def as_tables(day: date, figures: Day) -> Group:
    """Return what rich prints: the counts, the times, and a row for each barista."""
    title = Text(f"{day:%A, %-d %B %Y}")
    return Group(title, _counts(figures), _times(figures), _baristas(figures.baristas))


def _counts(figures: Day) -> Table:
    """Return the counts; each is the sum of those below it that are one step further in."""
    table = Table(box=None, show_header=False, pad_edge=True)
    table.add_column()
    table.add_column(justify="right")
    for name, count in (
        ("orders", figures.orders),
        ("  ready", figures.ready),
        ("    handed over", figures.handed_over),
        ("    to be handed over", figures.to_be_handed_over),
        ("    brewed in vain: their customers had left", figures.brewed_in_vain),
        ("  not ready yet", figures.not_ready_yet),
        ("  abandoned before the brewing", figures.abandoned),
        ("  cut off", figures.cut_off),
        ("  cancelled", figures.cancelled),
    ):
        table.add_row(name, str(count))
    return table


def _times(figures: Day) -> Table:
    table = _table("", *Spread._fields)
    for name, spread in (("wait", figures.wait), ("brewing", figures.brewing)):
        table.add_row(name, *_cells(spread))
    return table


def _baristas(works: tuple[Work, ...]) -> Table:
    table = _table("barista", "ready", "released", "lapsed", *Spread._fields)
    for work in works:
        name = Text(printable(work.name or "(no name)"))
        counts = (work.ready, work.released, work.lapsed)
        table.add_row(name, *(str(count) for count in counts), *_cells(work.brewing))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _cells(spread: Spread | None) -> tuple[str, ...]:
    return tuple("-" for _ in Spread._fields) if spread is None else tuple(map(_duration, spread))


def _duration(seconds: float) -> str:
    if seconds < _MINUTES_FROM:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min"


def as_chart(day: Day) -> str:
    """Draw the orders by the hour; the day has at least one."""
    edges = [f"{local(hour.start):%H}" for hour in day.hours]
    counts = [hour.orders for hour in day.hours]
    return draw("orders by the hour", edges, counts, max(counts))
