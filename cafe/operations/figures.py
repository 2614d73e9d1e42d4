"""The figures of a day: computed from its orders and their events, one after the other.

Rule: pure. The shop's report for managers and `cafe report` are made of the same figures.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from heapq import nsmallest
from typing import Any, Final, NamedTuple

from cafe.operations.charts import rank
from cafe.orders.order import BREWED, FINISHES, LIVE, Action, Order, Status
from cafe.orders.queries import History, Step

MOST_PRODUCTS: Final = 100
"""The most products whose brewing times a day has."""
_HOUR = 3600.0


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
    """The figures of one barista."""

    name: str | None
    ready: int
    released: int
    lapsed: int
    """Claims whose lease expired."""
    brewing: Spread | None


class Product(NamedTuple):
    """How long one product of the menu took."""

    name: str | None
    """The name in orders of the plain counter; None for baskets of several products."""
    ready: int
    """Orders, of one or of more pieces."""
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
    """The baristas, by the number of orders that they finished, the most first."""
    hours: tuple[Hour, ...]
    """The hours from the first to the last with an order."""

    products: tuple[Product, ...] = ()
    """The products, the most brewed first."""

    @classmethod
    def of(cls, histories: Iterable[History], hours: Hours) -> Day:
        """Return the figures of a day's orders."""
        tally = Tally(hours)
        for history in histories:
            tally.add(history)
        return tally.day()


class Tally:
    """Counts a day's orders one after the other; it keeps only their times."""

    def __init__(self, hours: Hours) -> None:
        """Count orders that were placed within these hours."""
        self._starts = hours.starts()
        self._counts: Counter[str] = Counter()
        self._ends: Counter[Action | None] = Counter()
        self._by_hour: Counter[int] = Counter()
        self._waits: list[float] = []
        self._brewing: list[float] = []
        self._products: defaultdict[str | None, list[float]] = defaultdict(list)
        self._done: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
        self._brewed_by: defaultdict[str | None, list[float]] = defaultdict(list)

    def add(self, history: History) -> None:
        """Count an order."""
        order = history.order
        self._by_hour[bisect_right(self._starts, order.placed_at) - 1] += 1
        self._counts["orders"] += 1
        self._ends[_end(history)] += 1
        if order.status in BREWED:
            self._add_ready(order)
        self._counts["not_ready_yet"] += order.status in LIVE
        for name, action in _attributed(history.steps):
            self._done[name][action] += 1
            if action in FINISHES:
                self._brewed_by[name].append(order.brewed_seconds)

    def _add_ready(self, order: Order) -> None:
        self._counts["ready"] += 1
        if order.status is Status.DELIVERED:
            self._counts["handed_over"] += 1
        elif order.abandoned:
            self._counts["in_vain"] += 1
        if order.ended_at:
            self._waits.append(order.ended_at - order.placed_at)
        if order.started_at is not None:  # what a courier brings may need no brewing
            self._brewing.append(order.brewed_seconds)
            self._products[_product_of(order)].append(order.brewed_seconds)

    def day(self) -> Day:
        """Return the figures of the orders that were added."""
        counts, ends = self._counts, self._ends
        return Day(
            orders=counts["orders"],
            ready=counts["ready"],
            handed_over=counts["handed_over"],
            to_be_handed_over=counts["ready"] - counts["handed_over"] - counts["in_vain"],
            brewed_in_vain=counts["in_vain"],
            not_ready_yet=counts["not_ready_yet"],
            cancelled=ends[Action.CANCEL],
            cut_off=ends[Action.CUT_OFF],
            abandoned=ends[Action.ABANDON],
            wait=Spread.of(self._waits),
            brewing=Spread.of(self._brewing),
            baristas=self._baristas(),
            hours=self._hours(),
            products=self._by_product(),
        )

    def _baristas(self) -> tuple[Work, ...]:
        works = (
            Work(
                name=name,
                ready=sum(counts[action] for action in FINISHES),
                released=counts[Action.RELEASE],
                lapsed=counts[Action.EXPIRE],
                brewing=Spread.of(self._brewed_by[name]),
            )
            for name, counts in self._done.items()
        )
        return tuple(sorted(works, key=lambda work: (-work.ready, work.name or "")))

    def _hours(self) -> tuple[Hour, ...]:
        counted = [Hour(start, self._by_hour[i]) for i, start in enumerate(self._starts)]
        busy = [i for i, hour in enumerate(counted) if hour.orders]
        return tuple(counted[busy[0] : busy[-1] + 1]) if busy else ()

    def _by_product(self) -> tuple[Product, ...]:
        most = nsmallest(
            MOST_PRODUCTS,
            self._products.items(),
            key=lambda one: (-len(one[1]), one[0] or ""),
        )
        return tuple(Product(name, len(times), Spread.of(times)) for name, times in most)


def _product_of(order: Order) -> str | None:
    """Return the product that was brewed; None for several, whose time is not that of any one."""
    if order.basket is None:
        return order.drink
    names = {line.name.lower() for line in order.basket.lines}
    return names.pop() if len(names) == 1 else None


def _end(history: History) -> Action | None:
    """Return why an order was cancelled, None if it was not; other reasons count as CANCEL."""
    if history.order.status != Status.CANCELLED:
        return None
    last = history.steps[-1].action
    return Action(last) if last in {Action.CUT_OFF, Action.ABANDON} else Action.CANCEL


def _attributed(steps: Iterable[Step]) -> Iterable[tuple[str | None, str]]:
    """Yield each barista's action with a name: if it has none, that of the last start."""
    holder: str | None = None
    for step in steps:
        if step.action == Action.START:
            holder = step.by
        if step.action in {Action.START, Action.RELEASE, Action.EXPIRE, *FINISHES}:
            yield step.by or holder, step.action


def as_data(day: date, figures: Day) -> dict[str, Any]:
    """Return the figures as JSON values, times in seconds."""
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
        "products": [_work_data(product) for product in figures.products],
        "hours": [
            {"start": local(hour.start).isoformat(), "orders": hour.orders}
            for hour in figures.hours
        ],
    }


def _spread_data(spread: Spread | None) -> dict[str, float] | None:
    return spread and {name: round(value, 3) for name, value in spread._asdict().items()}


def _work_data(work: Work | Product) -> dict[str, Any]:
    counts = {name: value for name, value in work._asdict().items() if name != "brewing"}
    return {**counts, "brewing_seconds": _spread_data(work.brewing)}


def local(at: float) -> datetime:
    """Return a time in this machine's time zone."""
    return datetime.fromtimestamp(at).astimezone()
