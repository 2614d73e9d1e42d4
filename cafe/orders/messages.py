"""What can be said to the Dispatcher, and what it answers.

Rule: frozen values only. Other departments and the HTTP edge know orders through this module.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from actors import Message
from cafe.ledger.messages import Record
from cafe.orders.order import Order, Status

if TYPE_CHECKING:
    from cafe.orders.dispatcher import Dispatcher  # noqa: F401 - the owner that the messages name


@dataclass(frozen=True, slots=True)
class Standing:
    """An order as its customer sees it."""

    order: Order
    position: int | None
    eta_seconds: float | None
    waited_seconds: float


@dataclass(frozen=True, slots=True)
class Claim:
    """An order that a barista has got, and how many are left."""

    order: Order
    waiting: int


@dataclass(frozen=True, slots=True)
class QueueCount:
    """How busy the shop is."""

    waiting: int
    preparing: int
    baristas: int
    """Those with an order in hand or waiting for one."""
    eta_seconds: float | None
    """For whoever orders now."""
    accepting: bool
    by_status: dict[Status, int]
    unkept: int = 0
    """Records that are not in the ledger yet."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What has happened, on its way to the ledger."""

    epoch: int
    last: int
    """The sequence of the last record."""
    records: tuple[Record, ...]


def new_order_id() -> str:
    """Make an id that nobody guesses."""
    return secrets.token_urlsafe(12)


@dataclass(frozen=True, slots=True)
class PlaceOrder(Message["Dispatcher", Standing]):
    """Order, and be answered when it is ready, or as it stands after `hold` seconds."""

    drink: str
    name: str | None
    address: str
    max_waiting: int
    """How many of this address may wait: the RateLimiter's allowance, counted here."""
    key: str | None = None
    hold: float = inf
    order_id: str = field(default_factory=new_order_id)
    """Made by whoever asks, so that he can ask again for the same order after a crash."""
    again: bool = False
    """Asked before: refused with UnknownOrder if there is no such order, to be looked up anew."""
    recalled: Order | None = None
    """What the ledger has under this key or id, for a Dispatcher who has forgotten it."""


@dataclass(frozen=True, slots=True)
class FindOrder(Message["Dispatcher", Standing]):
    """Look at an order, once it has ended or after `hold` seconds."""

    order_id: str
    hold: float = 0.0
    recalled: Order | None = None
    """The order as the ledger has it, here and below: for a Dispatcher who has forgotten it."""


@dataclass(frozen=True, slots=True)
class CancelOrder(Message["Dispatcher", Standing]):
    """Take a waiting order out of the queue."""

    order_id: str
    recalled: Order | None = None


@dataclass(frozen=True, slots=True)
class StartOrder(Message["Dispatcher", Claim | None]):
    """Claim the oldest waiting order; None where there is none within `hold` seconds."""

    barista: str | None = None
    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class FinishOrder(Message["Dispatcher", Order]):
    """Declare a claimed order ready; again is the same."""

    order_id: str
    recalled: Order | None = None


@dataclass(frozen=True, slots=True)
class ReleaseOrder(Message["Dispatcher", Order]):
    """Give a claimed order back."""

    order_id: str
    recalled: Order | None = None


@dataclass(frozen=True, slots=True)
class ListOrders(Message["Dispatcher", list[Standing]]):
    """List what waits and what is being prepared, oldest first."""


@dataclass(frozen=True, slots=True)
class CountQueue(Message["Dispatcher", QueueCount]):
    """Tell how busy the shop is."""


@dataclass(frozen=True, slots=True)
class CutOff(Message["Dispatcher", int]):
    """Take a banned address's orders out of the queue; answered with how many."""

    address: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CloseShop(Message["Dispatcher", int]):
    """Take no more orders and answer everybody who waits; answered with how many customers.

    The answer comes when the ledger has all that happened.
    """

    retry_after: float = 5.0


@dataclass(frozen=True, slots=True)
class AwaitRecords(Message["Dispatcher", None]):
    """Wait until there is something for the ledger."""


@dataclass(frozen=True, slots=True)
class TakeRecords(Message["Dispatcher", Batch]):
    """Take what has gathered; each record is given once."""


@dataclass(frozen=True, slots=True)
class RecordsKept(Message["Dispatcher", None]):
    """The ledger has everything up to this sequence."""

    epoch: int
    last: int


@dataclass(frozen=True, slots=True)
class RecordsRefused(Message["Dispatcher", None]):
    """The ledger will never take records of this epoch: whoever is in it begins anew."""

    epoch: int
