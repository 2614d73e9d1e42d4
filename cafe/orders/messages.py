"""What can be said to the Dispatcher, and what it answers.

Rule: frozen values only. Other departments and the HTTP edge know orders through this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from actors import Message
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


@dataclass(frozen=True, slots=True)
class FindOrder(Message["Dispatcher", Standing]):
    """Look at an order, once it has ended or after `hold` seconds."""

    order_id: str
    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class CancelOrder(Message["Dispatcher", Standing]):
    """Take a waiting order out of the queue."""

    order_id: str


@dataclass(frozen=True, slots=True)
class StartOrder(Message["Dispatcher", Claim | None]):
    """Claim the oldest waiting order; None where there is none within `hold` seconds."""

    barista: str | None = None
    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class FinishOrder(Message["Dispatcher", Order]):
    """Declare a claimed order ready; again is the same."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ReleaseOrder(Message["Dispatcher", Order]):
    """Give a claimed order back."""

    order_id: str


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
    """Take no more orders and answer everybody who waits; answered with how many customers."""

    retry_after: float = 5.0
