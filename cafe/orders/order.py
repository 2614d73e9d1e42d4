"""One order's life. The table below *is* the state machine: nothing else changes a status.

Rule: pure. Time is passed in, in seconds since the Unix epoch.

    waiting --start--> preparation --finish--> ready --hand over--> delivered

with a way back to the queue (release, expire), a way out of it (cancel, abandon, cut off), and what
changes an order where it stands (unbind, abandon). Whatever changes an order is a transition.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple


class Status(StrEnum):
    """Where an order stands; these words are the HTTP contract's."""

    WAITING = "waiting"
    PREPARATION = "preparation"
    READY = "ready"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Action(StrEnum):
    """What can happen to an order, and who does it."""

    PLACE = "place"
    """A customer orders; with this a life begins, so the table below has no row for it."""
    START = "start"
    """A barista claims it."""
    FINISH = "finish"
    """A barista declares it ready."""
    RELEASE = "release"
    """A barista gives it back."""
    EXPIRE = "expire"
    """Its lease ran out: the barista has vanished."""
    FINISH_LATE = "finish late"
    """A barista whose lease ran out declares it ready after all."""
    HAND_OVER = "hand over"
    """The customer has got it."""
    UNBIND = "unbind"
    """Somebody was told that it can be collected later."""
    CANCEL = "cancel"
    """The customer wants it no more."""
    ABANDON = "abandon"
    """Nobody is left who could collect it. One in preparation is brewed to its end all the same."""
    CUT_OFF = "cut off"
    """Its address is banned."""


TRANSITIONS: Final[dict[tuple[Status, Action], Status]] = {
    (Status.WAITING, Action.START): Status.PREPARATION,
    (Status.WAITING, Action.FINISH_LATE): Status.READY,
    (Status.WAITING, Action.UNBIND): Status.WAITING,
    (Status.WAITING, Action.CANCEL): Status.CANCELLED,
    (Status.WAITING, Action.ABANDON): Status.CANCELLED,
    (Status.WAITING, Action.CUT_OFF): Status.CANCELLED,
    (Status.PREPARATION, Action.FINISH): Status.READY,
    (Status.PREPARATION, Action.RELEASE): Status.WAITING,
    (Status.PREPARATION, Action.EXPIRE): Status.WAITING,
    (Status.PREPARATION, Action.UNBIND): Status.PREPARATION,
    (Status.PREPARATION, Action.ABANDON): Status.PREPARATION,
    (Status.READY, Action.HAND_OVER): Status.DELIVERED,
}


class NotAllowedError(Exception):
    """The table has no such transition."""

    def __init__(self, status: Status, action: Action) -> None:
        """Carry both, so that whoever refuses can say where the order stands."""
        super().__init__(f"an order that is {status} cannot {action}")
        self.status = status
        self.action = action


class Order(NamedTuple):
    """One order, at one moment; a change makes a new one.

    A tuple: a new one is made at each of its changes, at a third of a frozen dataclass's price.
    """

    order_id: str
    """Opaque, and hard to guess: who knows it may look at the order and cancel it."""
    number: int
    """The ticket number: oldest first means lowest first."""
    drink: str
    name: str | None
    address: str
    """Who ordered, as `cafe.limits.address` names it."""
    placed_at: float
    key: str | None = None
    """The customer's Idempotency-Key."""
    bound: bool = True
    """Tied to the customer's connection: when he hangs up, nobody can collect it."""
    abandoned: bool = False
    """Its customer hung up during the brewing."""
    status: Status = Status.WAITING
    barista: str | None = None
    claim: str | None = None
    """The id that the barista's request gave this claim, so that it can be repeated."""
    started_at: float | None = None
    lease_expires_at: float | None = None
    lapsed: bool = False
    """A lease on it ran out, so a late finish still counts."""
    ended_at: float | None = None
    """When it became ready, or was cancelled."""

    def after(self, action: Action, **changes: Any) -> Order:
        """Give the order as it is after `action`.

        Raises NotAllowedError where the table has no such transition.
        """
        status = TRANSITIONS.get((self.status, action))
        if status is None:
            raise NotAllowedError(self.status, action)
        return self._replace(status=status, **changes)

    @property
    def ended(self) -> bool:
        """Whether no barista will touch it any more."""
        return self.status not in {Status.WAITING, Status.PREPARATION}

    def waited_seconds(self, now: float) -> float:
        """Give the seconds from placing it to its end, or to `now`."""
        return max(0.0, (self.ended_at or now) - self.placed_at)

    @property
    def brewed_seconds(self) -> float:
        """Give the seconds from the last start to the finish; 0 while there is none."""
        if self.started_at is None or self.ended_at is None:
            return 0.0
        return max(0.0, self.ended_at - self.started_at)


class Change(NamedTuple):
    """One transition that has happened."""

    action: Action
    before: Status | None
    order: Order
    at: float
    by: str | None = None
    """The barista who did it, where he gave a name."""
    reason: str | None = None
    """Why, where the action does not say it."""
