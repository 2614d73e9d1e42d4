"""What can be said to the Dispatcher, and what it answers.

Rule: frozen values only. Every command carries an id that its sender made (of an order, of a
claim), so that it can be repeated after any crash and does nothing twice.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from actors import Message
from cafe.orders.order import Order, Status

if TYPE_CHECKING:
    # Exported: other departments name it as the type of a ref.
    from cafe.orders.dispatcher import Dispatcher as Dispatcher  # noqa: PLC0414 - see above


class Standing(NamedTuple):
    """An order as its customer sees it."""

    order: Order
    position: int | None
    eta_seconds: float | None
    waited_seconds: float


class Claim(NamedTuple):
    """An order that a barista has got, and how many are left."""

    order: Order
    waiting: int


class OrderPage(NamedTuple):
    """Some of what waits and is being prepared, oldest first."""

    standings: list[Standing]
    goes_on: bool
    """There are more behind these."""


MOST_LISTED = 500
"""Orders on one page: the Dispatcher does nothing else while it writes one."""


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
    """Orders that live, and those that ended lately."""


_PROCESS = secrets.token_urlsafe(12)
_claims = count(1)


def new_claim() -> str:
    """Make an id for a claim: of a kind that no other process makes, and no secret."""
    return f"{_PROCESS} {next(_claims)}"


@dataclass(frozen=True, slots=True)
class PlaceOrder(Message["Dispatcher", Standing]):
    """Order; answered when the order is committed. The same id or key is the same order."""

    order_id: str
    """Of the order, if this makes a new one: `OrderIds.new`."""
    drink: str
    name: str | None
    address: str
    max_waiting: int
    """How many of this address may wait: the RateLimiter's allowance, counted here."""
    key: str | None = None
    bound: bool = True
    """Cancelled when its customer's connection is lost. One with a key never is."""
    held_by: str | None = None
    """The order that the ledger has under this key: refused with ForgottenOrder if unknown."""


@dataclass(frozen=True, slots=True)
class AwaitOrder(Message["Dispatcher", Standing]):
    """Wait until an order has ended. An ask that is cancelled is a hang-up."""

    order_id: str
    collects: bool = True
    """Its customer, who is handed the coffee; else somebody who only looks."""
    timed: bool = False
    """Bounded by its asker, who says afterwards what has become of it: KeepOrder or HangUp."""


@dataclass(frozen=True, slots=True)
class KeepOrder(Message["Dispatcher", Standing]):
    """Let an order live without its connection: its customer is about to be told its id."""

    order_id: str


@dataclass(frozen=True, slots=True)
class HangUp(Message["Dispatcher", None]):
    """The customer has gone, or was refused, before being told the order's id."""

    order_id: str


@dataclass(frozen=True, slots=True)
class CollectOrder(Message["Dispatcher", Standing]):
    """Hand over an order that the Dispatcher has forgotten, as the ledger has it."""

    order: Order


@dataclass(frozen=True, slots=True)
class FindOrder(Message["Dispatcher", Standing]):
    """Look at an order."""

    order_id: str


@dataclass(frozen=True, slots=True)
class CancelOrder(Message["Dispatcher", Standing]):
    """Take a waiting order out of the queue."""

    order_id: str


@dataclass(frozen=True, slots=True)
class StartOrder(Message["Dispatcher", Claim | None]):
    """Claim the oldest waiting order. The same claim id is the same claim, as long as it holds."""

    barista: str | None = None
    waits: bool = False
    """Until there is one, as long as the ask lasts; else the answer is None where there is none."""
    claim: str = field(default_factory=new_claim)
    keyed: bool = False
    """The barista has the claim's id, and asks again after a lost answer: it is not released."""


@dataclass(frozen=True, slots=True)
class FinishOrder(Message["Dispatcher", Order]):
    """Declare a claimed order ready; again is the same."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ReleaseOrder(Message["Dispatcher", Order]):
    """Give a claimed order back."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ListOrders(Message["Dispatcher", OrderPage]):
    """List what waits and what is being prepared, oldest first: one page of it."""

    barista: str | None = None
    """Only what this barista has in hand."""
    behind: int = 0
    """The page begins with the next ticket number."""
    most: int = MOST_LISTED


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
    """Refuse everybody who waits, and give up their orders; answered with how many customers."""


@dataclass(frozen=True, slots=True)
class LoadOrders(Message["Dispatcher", None]):
    """Start again from what is committed: the database has refused a row."""
