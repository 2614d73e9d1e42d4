"""What a day came to: its figures, as numbers, as rows and as a picture.

Rule: pure; everything is computed from the orders' lives, nothing is printed.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple

from cafe.operations.report import draw, rank
from cafe.orders.order import Action, Status
from cafe.orders.queries import Deed, Life

_BREWED = (Status.READY, Status.DELIVERED)
_LIVE = (Status.WAITING, Status.PREPARATION)
_FINISHES = (Action.FINISH, Action.FINISH_LATE)
_HOUR = 3600.0


class Hours(NamedTuple):
    """The time that a day takes on this machine's calendar: 23 to 25 hours."""

    since: float
    until: float

    @classmethod
    def of(cls, day: date) -> Hours:
        """Find a day's midnights; raises ValueError or OverflowError far from our time."""
        midnights = (datetime.combine(day + timedelta(days=n), time.min) for n in (0, 1))
        return cls(*(midnight.timestamp() for midnight in midnights))

    def starts(self) -> list[float]:
        """List when its hours begin."""
        return [self.since + _HOUR * n for n in range(math.ceil((self.until - self.since) / _HOUR))]


class Spread(NamedTuple):
    """How long something took, in seconds; percentiles by nearest rank."""

    median: float
    p95: float
    worst: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Spread | None:
        """Sum up; None where there is nothing."""
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
    """Claims whose lease ran out on him."""
    brewing: Spread | None


class Hour(NamedTuple):
    """What was ordered in one hour."""

    start: float
    orders: int


@dataclass(frozen=True, slots=True)
class Day:
    """The figures of the orders that were placed on one day, however they went on."""

    orders: int
    ready: int
    collected: int
    live: int
    """Not ready yet."""
    cancelled: int
    cut_off: int
    abandoned: int
    """Their customers left before the brewing began."""
    brewed_in_vain: int
    """Their customers left during the brewing."""
    wait: Spread | None
    """From the order to the coffee."""
    brewing: Spread | None
    """From the last start to the finish."""
    baristas: tuple[Work, ...]
    """Who finished most comes first."""
    hours: tuple[Hour, ...]
    """From the first to the last in which something was ordered."""

    @classmethod
    def of(cls, lives: Sequence[Life], hours: Hours) -> Day:
        """Sum up a day's orders."""
        rows = [life.order for life in lives]
        brewed = [row for row in rows if row.status in _BREWED]
        ends = Counter(
            life.deeds[-1].action for life in lives if life.order.status == Status.CANCELLED
        )
        return cls(
            orders=len(rows),
            ready=len(brewed),
            collected=sum(row.status == Status.DELIVERED for row in rows),
            live=sum(row.status in _LIVE for row in rows),
            cancelled=ends[Action.CANCEL],
            cut_off=ends[Action.CUT_OFF],
            abandoned=ends[Action.ABANDON],
            brewed_in_vain=sum(row.abandoned for row in brewed),
            wait=Spread.of((row.ended_at or 0.0) - row.placed_at for row in brewed),
            brewing=Spread.of(_brewing_seconds(life) for life in lives if _is_brewed(life)),
            baristas=_by_barista(lives),
            hours=_by_hour([row.placed_at for row in rows], hours),
        )


def picture(day: Day) -> str:
    """Draw the orders by the hour."""
    edges = [f"{datetime.fromtimestamp(hour.start).astimezone():%H}" for hour in day.hours]
    counts = [hour.orders for hour in day.hours]
    return draw("orders by the hour", edges, counts, max(counts))


def _is_brewed(life: Life) -> bool:
    return life.order.status in _BREWED


def _brewing_seconds(life: Life) -> float:
    return (life.order.ended_at or 0.0) - (life.order.started_at or 0.0)


def _by_barista(lives: Sequence[Life]) -> tuple[Work, ...]:
    done: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
    brewing: defaultdict[str | None, list[float]] = defaultdict(list)
    for life in lives:
        for name, action in _attributed(life.deeds):
            done[name][action] += 1
            if action in _FINISHES:
                brewing[name].append(_brewing_seconds(life))
    works = (
        Work(
            name=name,
            ready=sum(counts[action] for action in _FINISHES),
            released=counts[Action.RELEASE],
            lapsed=counts[Action.EXPIRE],
            brewing=Spread.of(brewing[name]),
        )
        for name, counts in done.items()
    )
    return tuple(sorted(works, key=lambda work: (-work.ready, work.name or "")))


def _attributed(deeds: Iterable[Deed]) -> Iterable[tuple[str | None, str]]:
    """Give each deed of a barista with his name: of whoever started last, where none is written."""
    holder: str | None = None
    for deed in deeds:
        if deed.action == Action.START:
            holder = deed.by
        if deed.action in {Action.START, Action.RELEASE, Action.EXPIRE, *_FINISHES}:
            yield deed.by or holder, deed.action


def _by_hour(placed: Sequence[float], hours: Hours) -> tuple[Hour, ...]:
    if not placed:
        return ()
    edges = [*hours.starts(), math.inf]
    counted = [
        Hour(start, sum(start <= at < end for at in placed)) for start, end in pairwise(edges)
    ]
    busy = [i for i, hour in enumerate(counted) if hour.orders]
    return tuple(counted[busy[0] : busy[-1] + 1])
