"""A payment: its statuses and transitions. The table below *is* the state machine.

Rule: pure; time is passed in, in seconds since the Unix epoch. A payment is for one order, whose id
it has from the start: it is charged once at most, and refunded once at most.

    intent --ask--> asked --accept--> paid --place--> placed --give back--> refund_pending

with ways out of it (withdraw, refuse), one back (refund), and orders that are not charged (waive,
leave). Every change of a payment is one of them. Events of orders are recognized by the words in
the log.
"""

from __future__ import annotations

import json
from enum import Enum, StrEnum, auto
from typing import Any, Final, NamedTuple

MOST_ANSWER: Final = 4_096
"""The most characters that are stored of a provider's answer."""


class Status(StrEnum):
    """Where a payment stands; these words are the HTTP contract's."""

    INTENT = "intent"
    """It waits to be charged; the provider was not asked."""
    ASKED = "asked"
    """The provider may have been asked, and may have charged."""
    PAID = "paid"
    """It is charged, and its order is about to be placed."""
    PLACED = "placed"
    """It is charged, and has its order."""
    REFUSED = "refused"
    """The provider has refused it, or was surely never reached: nothing is charged."""
    REFUND_PENDING = "refund_pending"
    """It is about to be refunded."""
    REFUNDED = "refunded"
    NOT_REQUIRED = "not_required"
    """There was nothing to pay."""
    AT_COUNTER = "at_counter"
    """It is paid at the counter."""


class Action(StrEnum):
    """What can happen to a payment."""

    INTEND = "intend"
    """A customer wants to pay."""
    ASK = "ask"
    """It is handed out to be charged."""
    WITHDRAW = "withdraw"
    """The provider was surely never reached; the key is free again."""
    ACCEPT = "accept"
    REFUSE = "refuse"
    PLACE = "place"
    """Its order is in the queue."""
    GIVE_BACK = "give back"
    """Its order was cancelled, or could not be placed."""
    REFUND = "refund"
    WAIVE = "waive"
    """An order of 0 was placed."""
    LEAVE = "leave"
    """An order was placed that is paid at the counter."""


TRANSITIONS: Final[dict[tuple[Status | None, Action], Status]] = {
    (None, Action.INTEND): Status.INTENT,
    (Status.INTENT, Action.ASK): Status.ASKED,
    (Status.INTENT, Action.WITHDRAW): Status.REFUSED,
    (Status.ASKED, Action.WITHDRAW): Status.REFUSED,
    (Status.ASKED, Action.ACCEPT): Status.PAID,
    (Status.ASKED, Action.REFUSE): Status.REFUSED,
    (Status.PAID, Action.PLACE): Status.PLACED,
    (Status.PAID, Action.GIVE_BACK): Status.REFUND_PENDING,
    (Status.PLACED, Action.GIVE_BACK): Status.REFUND_PENDING,
    (Status.REFUND_PENDING, Action.REFUND): Status.REFUNDED,
    (None, Action.WAIVE): Status.NOT_REQUIRED,
    (None, Action.LEAVE): Status.AT_COUNTER,
}

OPEN: Final = (Status.INTENT, Status.ASKED, Status.PAID, Status.REFUND_PENDING)
"""The statuses with something left to do."""


class Payment(NamedTuple):
    """One payment, at one moment; a change makes a new one."""

    payment_id: str
    order_id: str
    account_id: str
    total_cents: int
    intended_at: float
    key: str | None = None
    """The customer's Idempotency-Key; None when it is free again."""
    fingerprint: str | None = None
    """The fingerprint of the request; None where nothing is charged."""
    wanted: str | None = None
    """JSON of all that is needed to place the order; None where nothing is charged."""
    status: Status = Status.INTENT
    changed_at: float = 0.0
    number: int | None = None
    """The ticket number of its order, once that is placed."""
    charge_status: int | None = None
    """The HTTP status with which the provider has answered; None until it has."""
    charge_ref: str | None = None
    """The provider's id of the charge, where it gave one."""
    charge_answer: str | None = None
    """The beginning of the provider's answer; it is shown to no one."""
    refund_status: int | None = None
    refund_ref: str | None = None
    refund_answer: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether something is left to do."""
        return self.status in OPEN


class Change(NamedTuple):
    """One transition that has happened."""

    action: Action
    before: Status | None
    payment: Payment
    at: float
    reason: str | None = None


class NotAllowedError(Exception):
    """The table has no such transition."""

    def __init__(self, status: Status, action: Action) -> None:
        super().__init__(f"a payment that is {status} has no {action}")
        self.status = status
        self.action = action


def begun(payment: Payment, action: Action, now: float) -> Change:
    """Return a payment's first change."""
    first = payment._replace(status=TRANSITIONS[None, action], intended_at=now, changed_at=now)
    return Change(action, None, first, now)


def moved(
    payment: Payment, action: Action, now: float, reason: str | None = None, **changes: Any
) -> Change:
    """Return the change that an action makes; raises NotAllowedError if the table has none."""
    status = TRANSITIONS.get((payment.status, action))
    if status is None:
        raise NotAllowedError(payment.status, action)
    after = payment._replace(status=status, changed_at=now, **changes)
    return Change(action, payment.status, after, now, reason)


def at_counter(order_id: str, account_id: str, total_cents: int, number: int) -> Payment:
    """Return the payment of an order that was placed without a charge; it has the order's id."""
    return Payment(order_id, order_id, account_id, total_cents, 0.0, number=number)


def status_without_charge(total_cents: int) -> Status:
    """Return the status of the payment of an order that was placed without a charge."""
    return Status.AT_COUNTER if total_cents else Status.NOT_REQUIRED


def change_by_event(
    order_id: str,
    payment: Payment | None,
    now: float,
    *,
    action: str,
    after: str,
    data: str | None,
) -> Change | None:
    """Return the change that an order's event makes to its payment; None if it makes none."""
    if action == "place":
        shown: dict[str, Any] = json.loads(data or "{}")
        if payment is None:
            return _begun_without_charge(order_id, shown, now)
        if payment.status is Status.PAID:
            return moved(payment, Action.PLACE, now, number=shown["number"])
    elif after == "cancelled" and payment is not None and payment.status is Status.PLACED:
        return moved(payment, Action.GIVE_BACK, now, "its order was cancelled")
    return None


def _begun_without_charge(order_id: str, shown: dict[str, Any], now: float) -> Change:
    payment = at_counter(order_id, shown["account_id"], shown["total_cents"], shown["number"])
    is_due = status_without_charge(payment.total_cents) is Status.AT_COUNTER
    return begun(payment, Action.LEAVE if is_due else Action.WAIVE, now)


class Verdict(Enum):
    """What one try says of the charge or refund."""

    ACCEPTED = auto()
    REFUSED = auto()
    UNREACHED = auto()
    """No byte of the request was sent."""
    BROKEN = auto()
    """A time-out, a lost connection or a 5xx: it may have been done."""
    LATER = auto()
    """The provider wants to be asked again."""


class Answer(NamedTuple):
    """The outcome of one try to charge or refund."""

    verdict: Verdict
    status: int | None = None
    """The HTTP status, if there was an answer."""
    ref: str | None = None
    """The provider's id of the charge or refund."""
    body: str | None = None
    """The beginning of the answer."""
    retry_after: float | None = None


DEFINITE: Final = frozenset({400, 402, 422})
"""HTTP statuses that refuse the charge itself. Others may come from a proxy or a wrong setting, and
do not settle an earlier try whose outcome is unknown."""


def is_refusal(answer: Answer, *, was_asked: bool) -> bool:
    """Return whether an answer means that nothing was charged, by this try or before.

    `was_asked`: an earlier try has an unknown outcome.
    """
    return answer.verdict is Verdict.REFUSED and (not was_asked or answer.status in DEFINITE)
