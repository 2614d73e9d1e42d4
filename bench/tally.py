"""The load's record of every order, and the figures computed from it.

Rule: a figure counts only if every order was started once, finished once and collected once by its
customer. A server that gets one wrong has no figure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import nan
from statistics import median, quantiles
from time import perf_counter

from bench.wire import Answer


class WrongAnswerError(Exception):
    """A server gave a wrong answer: its figures do not count."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the load measured."""

    orders: int
    """Collected in the measured seconds."""
    seconds: float
    placed: int
    """In the whole run, the warm-up and the end included."""
    polls: int
    """Polls of baristas that found no order, in the whole run."""
    wait: float
    """Median of the time from an order to the customer's 200, in seconds."""
    p50: float
    p99: float
    """Percentiles of the time from sending `POST /finish/` to the customer's 200, in seconds."""
    tail: float
    """Seconds from sending the very last `POST /finish/` to the very last 200 of a customer."""
    serving: float
    """Seconds from sending the first `POST /finish/` to the same."""
    start_p99: float = nan
    """The 99th percentile of the time from asking for an order to having it, in seconds."""

    @property
    def per_second(self) -> float:
        """Orders collected in a second."""
        return self.orders / self.seconds


@dataclass(slots=True)
class Tally:
    """What happened to every order; raises WrongAnswerError at the first wrong answer."""

    started: set[str] = field(default_factory=set[str])
    finished_at: dict[str, float] = field(default_factory=dict[str, float])
    collected_at: dict[str, float] = field(default_factory=dict[str, float])
    waits: dict[str, float] = field(default_factory=dict[str, float])
    placed: int = 0
    starts: list[float] = field(default_factory=list[float])
    polls: int = 0

    def start(self, answer: Answer, asked_at: float | None = None) -> str | None:
        """Record a barista's claim; return the order's id, or None if no order waited."""
        if answer.status == 204:
            self.polls += 1
            return None
        order_id = order_id_of(answer)
        if order_id in self.started:
            raise WrongAnswerError(f"order {order_id} was handed out twice")
        self.started.add(order_id)
        if asked_at is not None:
            self.starts.append(perf_counter() - asked_at)
        return order_id

    def collect(self, answer: Answer, placed_at: float) -> None:
        """Record a customer's coffee, and how long the customer waited."""
        now = perf_counter()
        order_id = order_id_of(answer)
        if order_id not in self.finished_at:
            raise WrongAnswerError(f"order {order_id} was collected before it was finished")
        if order_id in self.collected_at:
            raise WrongAnswerError(f"order {order_id} was collected twice")
        self.collected_at[order_id] = now
        self.waits[order_id] = now - placed_at

    def close(self, *, strangers: bool) -> None:
        """Check the whole run, once it has ended."""
        if len(self.collected_at) != self.placed:
            raise WrongAnswerError(
                f"of {self.placed} orders {len(self.collected_at)} were collected"
            )
        if not strangers and self.finished_at.keys() != self.collected_at.keys():
            raise WrongAnswerError("an order was finished that was never placed")

    def result(self, begin: float, end: float) -> Result:
        """Return the figures of the orders collected from `begin` to `end` or the last order."""
        inside = {order_id: at for order_id, at in self.collected_at.items() if begin <= at < end}
        last = max(inside.values(), default=end)
        delays = [at - self.finished_at[order_id] for order_id, at in inside.items()]
        cuts = quantiles(delays, n=100) if len(delays) > 1 else [nan] * 99
        finishes = self.finished_at.values() or [nan]
        end = max(self.collected_at.values(), default=nan)
        return Result(
            len(inside),
            last - begin,
            self.placed,
            self.polls,
            wait=median(self.waits[order_id] for order_id in inside) if inside else nan,
            p50=cuts[49],
            p99=cuts[98],
            tail=end - max(finishes),
            serving=end - min(finishes),
            start_p99=quantiles(self.starts, n=100)[98] if len(self.starts) > 1 else nan,
        )


def order_id_of(answer: Answer) -> str:
    """Return the order's id in a 200; raises WrongAnswerError for any other answer."""
    if answer.status != 200:
        raise WrongAnswerError(f"{answer.status} instead of 200: {answer.body[:200]!r}")
    order_id: str = json.loads(answer.body)["order_id"]
    return order_id
