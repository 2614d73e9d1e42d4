"""One delivery: statuses and transitions. The table *is* the state machine.

Rule: pure. Time is passed in, in seconds since the Unix epoch.

    waiting --assign--> assigned --pick up--> picked_up --finish--> delivered

with ways back (expire, reassign, and fail and retry) and a way out of each status before the end
(cancel). A delivery that staff published may be finished without a pick-up.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any, Final, NamedTuple


class Status(StrEnum):
    """Where a delivery stands; these words are the HTTP contract's."""

    WAITING = "waiting"
    """No courier has it."""
    ASSIGNED = "assigned"
    PICKED_UP = "picked_up"
    DELIVERED = "delivered"
    FAILED = "failed"
    """The courier could not deliver it; the order is ready, and staff decide."""
    CANCELLED = "cancelled"


class Action(StrEnum):
    """What can happen to a delivery."""

    REQUEST = "request"
    """Staff publish it, or its order is ready."""
    ASSIGN = "assign"
    """A courier gets it."""
    PICK_UP = "pick up"
    EXPIRE = "expire"
    """Its courier has not picked it up in time."""
    REASSIGN = "reassign"
    """A manager assigns it to another courier."""
    FINISH = "finish"
    FAIL = "fail"
    RETRY = "retry"
    CANCEL = "cancel"


TRANSITIONS: Final[dict[tuple[Status | None, Action], Status]] = {
    (None, Action.REQUEST): Status.WAITING,
    (Status.WAITING, Action.ASSIGN): Status.ASSIGNED,
    (Status.WAITING, Action.CANCEL): Status.CANCELLED,
    (Status.ASSIGNED, Action.PICK_UP): Status.PICKED_UP,
    (Status.ASSIGNED, Action.EXPIRE): Status.WAITING,
    (Status.ASSIGNED, Action.REASSIGN): Status.ASSIGNED,
    (Status.ASSIGNED, Action.FINISH): Status.DELIVERED,  # only if staff published it
    (Status.ASSIGNED, Action.FAIL): Status.FAILED,
    (Status.ASSIGNED, Action.CANCEL): Status.CANCELLED,
    (Status.PICKED_UP, Action.REASSIGN): Status.ASSIGNED,
    (Status.PICKED_UP, Action.FINISH): Status.DELIVERED,
    (Status.PICKED_UP, Action.FAIL): Status.FAILED,
    (Status.PICKED_UP, Action.CANCEL): Status.CANCELLED,
    (Status.FAILED, Action.RETRY): Status.WAITING,
    (Status.FAILED, Action.CANCEL): Status.CANCELLED,
}

CARRIED: Final = (Status.ASSIGNED, Status.PICKED_UP)
"""A courier has it in hand, and has no other one."""
LIVE: Final = (Status.WAITING, *CARRIED, Status.FAILED)
"""The statuses with something left to do."""

KNOWN_BY: Final = {Status.DELIVERED: "delivered", Status.CANCELLED: "cancelled"}
"""By final status of a delivery: the status of its order once the order knows."""
READY: Final = "ready"
"""The status of an order that can be delivered."""


class NotAllowedError(Exception):
    """The table has no such transition."""

    def __init__(self, status: Status, action: Action) -> None:
        """Carry both, so that a refusal can name the status."""
        super().__init__(f"a delivery that is {status} has no {action}")
        self.status = status
        self.action = action


class UnknownDeliveryError(Exception):
    """There is no such delivery with something left to do."""


class NoFreeCourierError(Exception):
    """No courier of the district is free, or the named one is not."""


class NotInHandError(Exception):
    """The delivery is another courier's."""


class Delivery(NamedTuple):
    """One delivery, at one moment; a change makes a new one."""

    order_id: str
    sequence: int
    """Its place in the queue, the lowest first; it keeps its place when it comes back."""
    district_id: str
    district: str
    """The district's name when it was ordered."""
    address: str | None
    name: str | None
    """What staff published; None for a customer's basket."""
    requested_at: float
    number: int | None = None
    """The ticket number of its order, once that is known."""
    account_id: str | None = None
    """The account of the basket; None if staff published it."""
    status: Status = Status.WAITING
    courier_id: str | None = None
    """The courier that has it, or had it last."""
    attempts: int = 0
    """How often it has failed."""
    reason: str | None = None
    """Why it failed last, or was cancelled."""
    assigned_at: float | None = None
    picked_up_at: float | None = None
    ended_at: float | None = None
    lease_expires_at: float | None = None
    settled: bool = True
    """Whether its order knows that it was published, delivered or cancelled."""
    command: str | None = None
    """The id of the command that changed it last, so that the command can be retried."""

    @property
    def is_published(self) -> bool:
        """Whether staff published it; if not, it is a customer's basket."""
        return self.account_id is None

    @property
    def is_kept(self) -> bool:
        """Whether something is left to do with it, or with its order."""
        return self.status in LIVE or not self.settled

    @property
    def unsettled_since(self) -> float:
        """The time of the change that its order may not know."""
        return self.requested_at if self.ended_at is None else self.ended_at

    def after(self, action: Action, **changes: Any) -> Delivery:
        """Return the delivery as it is after `action`.

        Raises NotAllowedError if the table has no such transition, or a basket was not picked up.
        """
        status = TRANSITIONS.get((self.status, action))
        too_early = action is Action.FINISH and self.status is Status.ASSIGNED
        if status is None or (too_early and not self.is_published):
            raise NotAllowedError(self.status, action)
        return self._replace(status=status, **changes)

    def settled_by(self, order_status: str) -> bool:
        """Return whether an order with this status knows all that happened to the delivery."""
        return order_status == KNOWN_BY.get(self.status, READY)


class Change(NamedTuple):
    """One transition of a delivery that has happened."""

    action: Action
    before: Status | None
    delivery: Delivery
    at: float
    by: str | None = None
    """The person who did it, if known."""
    reason: str | None = None


MARK: Final = '"destination"'
"""Occurs in the data of an order that a courier brings, and of no other."""
CONCERNED: Final = frozenset({READY, *KNOWN_BY.values()})


class OrderEvent(NamedTuple):
    """An order that a courier brings has become ready, delivered or cancelled."""

    order_id: str
    status: str
    number: int
    wanted: Delivery | None
    """The new delivery of a customer's basket that is ready; else None."""


def concerns_delivery(before: str | None, after: str, data: str | None) -> bool:
    """Return whether an event of an order is an OrderEvent; most are not."""
    return data is not None and MARK in data and after in CONCERNED and before != after


def order_event(order_id: str, status: str, data: str) -> OrderEvent:
    """Return the OrderEvent of an event that concerns a delivery."""
    shown: dict[str, Any] = json.loads(data)
    wanted: Delivery | None = None
    if status == READY and "account_id" in shown:
        to = shown["destination"]
        wanted = Delivery(
            order_id,
            0,
            to["district_id"],
            to["district"],
            to["address"],
            None,
            0.0,
            number=shown["number"],
            account_id=shown["account_id"],
        )
    return OrderEvent(order_id, status, shown["number"], wanted)
