"""The messages of the Cashier.

Rule: frozen values only. A payment carries an id made by its sender, and an event its position: so
each message can be retried after a crash, and takes effect once.
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
    """The kinds of calls that are made for payments, each by callers of its own."""

    CHARGE = "charge"
    PLACE = "place"
    REFUND = "refund"


class Placing(Enum):
    """The outcome of placing the order of a payment."""

    PLACED = auto()
    """The order is committed."""
    IMPOSSIBLE = auto()
    """There is no such order, and will be none."""
    LATER = auto()
    """The outcome is not known, or placing is not possible now."""


@dataclass(frozen=True, slots=True)
class CashierCount:
    """The payments with something left to do, by status, and the state of each lane's breaker."""

    by_status: Mapping[Status, int]
    breakers: Mapping[Lane, State]


@dataclass(frozen=True, slots=True)
class FindByKey(Message["Cashier", Payment | None]):
    """Find the payment of an account's key; None if there is none in memory.

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
    """Wait for the next payment of a lane; the caller reports the outcome."""

    lane: Lane


@dataclass(frozen=True, slots=True)
class Charged(Message["Cashier", None]):
    """Report the outcome of a try to charge; answered when it is committed, as all reports are."""

    payment_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Refunded(Message["Cashier", None]):
    """Report the outcome of a try to refund."""

    payment_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Placed(Message["Cashier", None]):
    """Report the outcome of placing an order."""

    payment_id: str
    placing: Placing


@dataclass(frozen=True, slots=True)
class Untouched(Message["Cashier", None]):
    """Report that another caller has the payment in hand."""

    lane: Lane
    payment_id: str


@dataclass(frozen=True, slots=True)
class Follow(Message["Cashier", None]):
    """Apply the baskets' events up to a position, each once; answered when that is committed."""

    events: tuple[Logged, ...]
    position: int
    known: Mapping[str, Payment]
    """By order: the ledger's payments of these events."""


@dataclass(frozen=True, slots=True)
class FindPayments(Message["Cashier", Mapping[str, Payment]]):
    """Find the payments of orders; those that are not in memory are left out."""

    order_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CountPayments(Message["Cashier", CashierCount]):
    """Count the payments in memory."""


@dataclass(frozen=True, slots=True)
class AnswerCustomers(Message["Cashier", int]):
    """Refuse all waiting customers on shutdown; answered with how many."""


@dataclass(frozen=True, slots=True)
class LoadPayments(Message["Cashier", None]):
    """Load the committed state again: the database has refused a row."""
