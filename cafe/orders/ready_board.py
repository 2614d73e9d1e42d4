"""The board of the shop: which orders are in preparation, and which cups are on the counter.

Rule: pure; it receives committed changes only. What it shows depends only on the rows of the orders
and on when each was handed over, so that a board that is loaded shows the same as one that has
followed the log. Orders that couriers bring are not shown: no customer waits for them here.

A ready cup is shown for two minutes, or until its customer collects it. If the customer was
answered when it became ready, the ledger has it as handed over in that moment, but the cup is still
on the counter: so it is shown for its two minutes, too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from heapq import nlargest
from typing import Final, NamedTuple

from cafe.orders.order import Status

READY_SECONDS: Final = 120.0
"""How long a cup is shown from the finish, if it is not collected before."""
AT_ONCE_SECONDS: Final = 1.0
"""A cup handed over this soon after the finish had a waiting customer, and is still shown."""
MOST_PREPARING: Final = 24
MOST_READY: Final = 12
MOST_KEPT: Final = 500
"""Ready cups in memory, the newest: more than are shown, since some are collected first."""


class Cup(NamedTuple):
    """An order as a board shows it."""

    number: int
    name: str | None
    ready_at: float | None = None
    """When it was finished; None while it is in preparation."""


class OnBoard(NamedTuple):
    """An order that a board shows: in preparation, or ready."""

    order_id: str
    cup: Cup


class Shown(NamedTuple):
    """What a board shows at one moment."""

    preparing: tuple[Cup, ...]
    """The newest of them, in the order of their tickets."""
    ready: tuple[Cup, ...]
    """The newest of them, the last finished first."""


def stays(ended_at: float, handed_over_at: float | None) -> bool:
    """Return whether a cup is still shown: not handed over, or at once after its finish."""
    return handed_over_at is None or handed_over_at - ended_at <= AT_ONCE_SECONDS


def _finished(cup: Cup) -> tuple[float, int]:
    return cup.ready_at or 0.0, cup.number


class ReadyBoard:
    """The content of all boards; its owner notes every committed change of an order."""

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        """Keep at most `most_kept` ready cups in memory."""
        self._most_kept = most_kept
        self._preparing: dict[str, Cup] = {}
        self._ready: OrderedDict[str, Cup] = OrderedDict()
        """Nearly in the order in which they were finished."""

    def begin(self, shown: Iterable[OnBoard]) -> None:
        """Begin with these orders, the ready ones in the order in which they were finished."""
        self._preparing.clear()
        self._ready.clear()
        for order_id, cup in shown:
            if cup.ready_at is None:
                self.note(order_id, cup, Status.PREPARATION, 0.0)
            else:
                self.note(order_id, cup, Status.READY, cup.ready_at)

    def note(self, order_id: str, cup: Cup, status: Status, at: float) -> None:
        """Record that an order has this status since `at`.

        `cup` has the time of the finish, if there was one.
        """
        if status is Status.PREPARATION:
            self._preparing[order_id] = cup._replace(ready_at=None)
            return
        self._preparing.pop(order_id, None)
        handed_over_at = at if status is Status.DELIVERED else None
        is_brewed = status is Status.READY or status is Status.DELIVERED
        if not is_brewed or cup.ready_at is None or not stays(cup.ready_at, handed_over_at):
            self._ready.pop(order_id, None)
        elif order_id not in self._ready:
            self._ready[order_id] = cup
            if len(self._ready) > self._most_kept:
                self._ready.popitem(last=False)

    def show(self, now: float) -> Shown:
        """Return the cups shown at `now`, and forget those that have expired."""
        over = [one for one, cup in self._ready.items() if _is_over(cup, now)]
        for order_id in over:
            del self._ready[order_id]
        newest = nlargest(MOST_PREPARING, self._preparing.values(), key=lambda cup: cup.number)
        ready = nlargest(MOST_READY, self._ready.values(), key=_finished)
        return Shown(tuple(reversed(newest)), tuple(ready))

    def next_change(self) -> float | None:
        """Return the time at which the next cup expires; None if there is none."""
        finished = [cup.ready_at for cup in self._ready.values() if cup.ready_at is not None]
        return min(finished) + READY_SECONDS if finished else None


def _is_over(cup: Cup, now: float) -> bool:
    # In either direction: the clock may have been ahead when it was finished.
    return cup.ready_at is None or abs(now - cup.ready_at) >= READY_SECONDS
