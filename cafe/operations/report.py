"""`cafe report`: a day's figures, from the day's orders, as JSON, tables and a chart.

Rule: pure; everything is computed from the orders and their events, and nothing is printed.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cafe.operations.charts import draw, rank
from cafe.operations.printable import printable
from cafe.orders.order import BREWED, FINISHES, LIVE, Action, Status
from cafe.orders.queries import History, Step

_HOUR = 3600.0
_MINUTES_FROM = 120.0  # seconds; shorter times are shown in seconds


class Hours(NamedTuple):
    """The start and the end of a day in this machine's time zone: 23 to 25 hours."""

    since: float
    until: float

    @classmethod
    def of(cls, day: date) -> Hours:
        """Return a day's midnights; raise ValueError or OverflowError far from our time."""
        midnights = (datetime.combine(day + timedelta(days=n), time.min) for n in (0, 1))
        return cls(*(midnight.timestamp() for midnight in midnights))

    def starts(self) -> list[float]:
        """List the starts of its hours."""
        return [self.since + _HOUR * n for n in range(math.ceil((self.until - self.since) / _HOUR))]


class Spread(NamedTuple):
    """How long something took, in seconds; percentiles by nearest rank."""

    median: float
    p95: float
    worst: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Spread | None:
        """Return the spread of these values, or None if there are none."""
        ordered = sorted(seconds)
        if not ordered:
            return None
        return cls(rank(ordered, 0.5), rank(ordered, 0.95), ordered[-1])


class Work(NamedTuple):
    """What one barista did."""

    name: str | None
    ready: int
    released: int
    lapsed: int
    """Claims whose lease expired."""
    brewing: Spread | None


class Hour(NamedTuple):
    """How many orders were placed in one hour."""

    start: float
    orders: int


@dataclass(frozen=True, slots=True)
class Day:
    """The figures of the orders that were placed on one day, whenever they ended.

    Each order is in exactly one of `ready`, `not_ready_yet`, `cancelled`, `cut_off`, `abandoned`.
    """

    orders: int
    ready: int
    """All that became ready: the three below."""
    handed_over: int
    to_be_handed_over: int
    """A customer can still collect them, or a courier brings them."""
    brewed_in_vain: int
    """Their customers left during the brewing."""
    not_ready_yet: int
    cancelled: int
    cut_off: int
    abandoned: int
    """Their customers left before the brewing began."""
    wait: Spread | None
    """From the order until it was ready."""
    brewing: Spread | None
    """From the last start to the finish."""
    baristas: tuple[Work, ...]
    """The one who finished most comes first."""
    hours: tuple[Hour, ...]
    """From the first to the last with an order."""

    @classmethod
    def of(cls, histories: Sequence[History], hours: Hours) -> Day:
        """Return the figures of a day's orders."""
        rows = [history.order for history in histories]
        ready = [row for row in rows if row.status in BREWED]
        handed_over = sum(row.status == Status.DELIVERED for row in ready)
        in_vain = sum(row.abandoned for row in ready if row.status != Status.DELIVERED)
        ends = Counter(_end(history) for history in histories)
        return cls(
            orders=len(rows),
            ready=len(ready),
            handed_over=handed_over,
            to_be_handed_over=len(ready) - handed_over - in_vain,
            brewed_in_vain=in_vain,
            not_ready_yet=sum(row.status in LIVE for row in rows),
            cancelled=ends[Action.CANCEL],
            cut_off=ends[Action.CUT_OFF],
            abandoned=ends[Action.ABANDON],
            wait=Spread.of(row.ended_at - row.placed_at for row in ready if row.ended_at),
            brewing=Spread.of(
                history.order.brewed_seconds for history in histories if _is_brewed(history)
            ),
            baristas=_by_barista(histories),
            hours=_by_hour([row.placed_at for row in rows], hours),
        )


def _end(history: History) -> Action | None:
    """Return why an order was cancelled, if it was; all that has no count of its own is CANCEL."""
    if history.order.status != Status.CANCELLED:
        return None
    last = history.steps[-1].action
    return Action(last) if last in {Action.CUT_OFF, Action.ABANDON} else Action.CANCEL


def _is_brewed(history: History) -> bool:
    """Return whether it became ready at a barista's hands; what a courier brings may need none."""
    return history.order.status in BREWED and history.order.started_at is not None


def _by_barista(histories: Sequence[History]) -> tuple[Work, ...]:
    done: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
    brewing: defaultdict[str | None, list[float]] = defaultdict(list)
    for history in histories:
        for name, action in _attributed(history.steps):
            done[name][action] += 1
            if action in FINISHES:
                brewing[name].append(history.order.brewed_seconds)
    works = (
        Work(
            name=name,
            ready=sum(counts[action] for action in FINISHES),
            released=counts[Action.RELEASE],
            lapsed=counts[Action.EXPIRE],
            brewing=Spread.of(brewing[name]),
        )
        for name, counts in done.items()
    )
    return tuple(sorted(works, key=lambda work: (-work.ready, work.name or "")))


def _attributed(steps: Iterable[Step]) -> Iterable[tuple[str | None, str]]:
    """Yield each barista's action with a name: if it has none, that of the last start."""
    holder: str | None = None
    for step in steps:
        if step.action == Action.START:
            holder = step.by
        if step.action in {Action.START, Action.RELEASE, Action.EXPIRE, *FINISHES}:
            yield step.by or holder, step.action


def _by_hour(placed: Sequence[float], hours: Hours) -> tuple[Hour, ...]:
    if not placed:
        return ()
    edges = [*hours.starts(), math.inf]
    counted = [
        Hour(start, sum(start <= at < end for at in placed)) for start, end in pairwise(edges)
    ]
    busy = [i for i, hour in enumerate(counted) if hour.orders]
    return tuple(counted[busy[0] : busy[-1] + 1])


def as_json(day: date, figures: Day) -> str:
    """Return the figures as JSON, with each unprintable character escaped: people read it too."""
    text = json.dumps(_as_data(day, figures), ensure_ascii=False, indent=2)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _as_data(day: date, figures: Day) -> dict[str, Any]:
    return {
        "day": day.isoformat(),
        "orders": figures.orders,
        "ready": figures.ready,
        "handed_over": figures.handed_over,
        "to_be_handed_over": figures.to_be_handed_over,
        "brewed_in_vain": figures.brewed_in_vain,
        "not_ready_yet": figures.not_ready_yet,
        "cancelled": figures.cancelled,
        "cut_off": figures.cut_off,
        "abandoned": figures.abandoned,
        "wait_seconds": _spread_data(figures.wait),
        "brewing_seconds": _spread_data(figures.brewing),
        "baristas": [_work_data(work) for work in figures.baristas],
        "hours": [
            {"start": _local(hour.start).isoformat(), "orders": hour.orders}
            for hour in figures.hours
        ],
    }


def _spread_data(spread: Spread | None) -> dict[str, float] | None:
    return spread and {name: round(value, 3) for name, value in spread._asdict().items()}


def _work_data(work: Work) -> dict[str, Any]:
    counts = {name: value for name, value in work._asdict().items() if name != "brewing"}
    return {**counts, "brewing_seconds": _spread_data(work.brewing)}


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


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at).astimezone()


def as_chart(day: Day) -> str:
    """Draw the orders by the hour; the day has at least one."""
    edges = [f"{_local(hour.start):%H}" for hour in day.hours]
    counts = [hour.orders for hour in day.hours]
    return draw("orders by the hour", edges, counts, max(counts))
