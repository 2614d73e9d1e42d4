"""What can be asked of the Cashier.

Rule: frozen values only. A payment carries an id made by its sender, and an event its position: so
all can be repeated after any crash, and have their effect once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING

from actors import Message
from cafe.ledger.department import Logged
from cafe.payments.breaker import State
from cafe.payments.payment import Answer, Payment, Status

if TYPE_CHECKING:
    # Exported: other departments name it as the type of a ref.
    from cafe.payments.cashier import Cashier as Cashier  # noqa: PLC0414 - see above


class Lane(StrEnum):
    """What is done with payments outside of the Cashier, each by callers of its own."""

    CHARGE = "charge"
    PLACE = "place"
    REFUND = "refund"


class Placing(Enum):
    """What became of placing the order of a payment."""

    PLACED = auto()
    """It is committed."""
    IMPOSSIBLE = auto()
    """There is no such order, and will be none."""
    LATER = auto()
    """It is not known, or not possible now."""


@dataclass(frozen=True, slots=True)
class CashierCount:
    """How many payments there are in memory, and how the providers do."""

    by_status: Mapping[Status, int]
    breakers: Mapping[Lane, State]


@dataclass(frozen=True, slots=True)
class FindByKey(Message["Cashier", Payment | None]):
    """Look for what an account has paid for with a key; None if there is none in memory.

    Refused with KeyReused, StillRunning or PaymentRefused.
    """

    account_id: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Intend(Message["Cashier", Payment]):
    """Begin a payment; answered when that is committed. The same id or key is the same payment.

    Refused as FindByKey, and with ProviderUnavailable.
    """

    payment: Payment
    frees: Payment | None = None
    """An old payment whose key has expired, and is freed for this one."""


@dataclass(frozen=True, slots=True)
class AwaitOrder(Message["Cashier", Payment]):
    """Wait until the order of a payment is placed; an ask that is cancelled changes nothing.

    Refused with PaymentRefused, ProviderUnavailable, NotPlaced, or with ForgottenPayment.
    """

    payment_id: str


@dataclass(frozen=True, slots=True)
class NextCall(Message["Cashier", Payment]):
    """Wait for the next payment that a caller has to do something with; it ends with a report."""

    lane: Lane


@dataclass(frozen=True, slots=True)
class Charged(Message["Cashier", None]):
    """Report what became of a try to charge; answered when that is committed, as all reports."""

    payment_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Refunded(Message["Cashier", None]):
    """Report what became of a try to refund."""

    payment_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Placed(Message["Cashier", None]):
    """Report what became of placing an order."""

    payment_id: str
    placing: Placing


@dataclass(frozen=True, slots=True)
class Untouched(Message["Cashier", None]):
    """Report that another caller has the payment in hand."""

    lane: Lane
    payment_id: str


@dataclass(frozen=True, slots=True)
class Follow(Message["Cashier", None]):
    """Take in the baskets' events up to a position, each once; answered when that is committed."""

    events: tuple[Logged, ...]
    position: int
    known: Mapping[str, Payment]
    """By order: what the ledger has of the payments of these events."""


@dataclass(frozen=True, slots=True)
class FindPayments(Message["Cashier", Mapping[str, Payment]]):
    """Look at the payments of orders; those that are not in memory are left out."""

    order_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CountPayments(Message["Cashier", CashierCount]):
    """Count the payments in memory."""


@dataclass(frozen=True, slots=True)
class AnswerCustomers(Message["Cashier", int]):
    """Answer all who wait, as the shop closes; answered with how many."""


@dataclass(frozen=True, slots=True)
class LoadPayments(Message["Cashier", None]):
    """Load the committed state again: the database has refused a row."""
