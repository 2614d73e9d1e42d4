"""A tip: what it may go through, and which barista gets it.

Rule: pure; time is passed in. The table below *is* the state machine.

    pledged --pay--> paid        the order is ready: its barista gets the tip
    pledged --return--> returned the order was cancelled
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

HOUSE = ""
"""The name that gets the tip where the barista gave none."""


class Status(StrEnum):
    """Where a tip stands."""

    PLEDGED = "pledged"
    PAID = "paid"
    RETURNED = "returned"


class Action(StrEnum):
    """What can happen to a tip."""

    GIVE = "give"
    """With this a tip begins, so the table below has no row for it."""
    PAY = "pay"
    RETURN = "return"


TRANSITIONS: Final[dict[tuple[Status, Action], Status]] = {
    (Status.PLEDGED, Action.PAY): Status.PAID,
    (Status.PLEDGED, Action.RETURN): Status.RETURNED,
}


class NoOrderError(Exception):
    """No event has told of such an order."""


class NotBrewedError(Exception):
    """The order was cancelled."""


class Tip(NamedTuple):
    """One customer's tip for one order."""

    tip_id: str
    """Made by the customer, so that the request can be repeated after a lost answer."""
    order_id: str
    cents: int
    given_at: float
    status: Status = Status.PLEDGED
    barista: str | None = None
    """The one that has got it."""
    settled_at: float | None = None
    """When it was paid or returned."""


class Brew(NamedTuple):
    """An order, as far as its events have told of it."""

    order_id: str
    barista: str = HOUSE
    """The one that started it last: a finish after the lease ran out does not say whose it is."""
    outcome: str | None = None
    """`ready` or `cancelled`; None while it can still be either."""
    ended_at: float | None = None


class Change(NamedTuple):
    """One transition that has happened."""

    action: Action
    before: Status | None
    tip: Tip
    at: float
    total: int | None = None
    """What the tip's barista has got in all, if it was paid."""


class TipBook:
    """Some orders with their tips, and what their baristas have got in all."""

    def __init__(
        self, brews: Iterable[Brew], tips: Iterable[Tip], totals: Mapping[str, int]
    ) -> None:
        self.brews = {brew.order_id: brew for brew in brews}
        self.tips = {tip.order_id: tip for tip in tips}
        self.totals = dict(totals)

    def give(self, tip_id: str, order_id: str, cents: int, now: float) -> list[Change]:
        """Give a tip for an order; raises NoOrderError or NotBrewedError."""
        brew = self.brews.get(order_id)
        if brew is None:
            raise NoOrderError
        if brew.outcome == "cancelled":
            raise NotBrewedError
        tip = Tip(tip_id, order_id, cents, now)
        self.tips[order_id] = tip
        return [Change(Action.GIVE, None, tip, now), *self._settle(brew, now)]

    def follow(
        self, order_id: str, action: str, after: str, by: str | None, now: float
    ) -> list[Change]:
        """Apply what has happened to an order, as the log has it; return what that does to tips."""
        brew = self.brews.get(order_id, Brew(order_id))
        if action == "start":
            brew = brew._replace(barista=by or HOUSE)
        if after in {"ready", "cancelled"} and brew.outcome is None:
            brew = brew._replace(barista=by or brew.barista, outcome=after, ended_at=now)
        self.brews[order_id] = brew
        return self._settle(brew, now)

    def _settle(self, brew: Brew, now: float) -> list[Change]:
        """Pay or return the tip of an order that has ended."""
        tip = self.tips.get(brew.order_id)
        if tip is None or tip.status is not Status.PLEDGED or brew.outcome is None:
            return []
        if brew.outcome == "cancelled":
            return [self._move(tip, Action.RETURN, now)]
        total = self.totals[brew.barista] = self.totals.get(brew.barista, 0) + tip.cents
        return [self._move(tip, Action.PAY, now, brew.barista, total)]

    def _move(
        self,
        tip: Tip,
        action: Action,
        now: float,
        barista: str | None = None,
        total: int | None = None,
    ) -> Change:
        after = tip._replace(
            status=TRANSITIONS[tip.status, action], barista=barista, settled_at=now
        )
        self.tips[tip.order_id] = after
        return Change(action, tip.status, after, now, total)
