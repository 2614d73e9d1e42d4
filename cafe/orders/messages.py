"""The messages of the Dispatcher, and their answers.

Rule: frozen values only. Every command carries an id that its sender made (of an order, of a
claim), so that it can be repeated after any crash and takes effect once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from actors import Message
from cafe.orders.order import Basket as Basket  # noqa: PLC0414 - a part of messages
from cafe.orders.order import Destination as Destination  # noqa: PLC0414 - as above
from cafe.orders.order import Line as Line  # noqa: PLC0414 - as above
from cafe.orders.order import Order as Order  # noqa: PLC0414 - as above
from cafe.orders.order import Status as Status  # noqa: PLC0414 - as above
from cafe.orders.pause import Pause as Pause  # noqa: PLC0414 - as above
from cafe.orders.placed import MOST_PLACED as MOST_PLACED  # noqa: PLC0414 - as above
from cafe.orders.placed import PlacedQuery as PlacedQuery  # noqa: PLC0414 - as above
from cafe.orders.queue import Standing as Standing  # noqa: PLC0414 - an answer, as those below
from cafe.orders.refusals import KeyReused as KeyReused  # noqa: PLC0414 - as above
from cafe.orders.refusals import NeedsCourier as NeedsCourier  # noqa: PLC0414 - as above
from cafe.orders.refusals import OrderConflict as OrderConflict  # noqa: PLC0414 - as above
from cafe.orders.refusals import UnknownOrder as UnknownOrder  # noqa: PLC0414 - as above
from cafe.orders.refusals import WrongStep as WrongStep  # noqa: PLC0414 - as above
from cafe.orders.schemas import BasketOrderOut as BasketOrderOut  # noqa: PLC0414 - as above

if TYPE_CHECKING:
    # Exported: other departments name it as the type of a ref.
    from cafe.orders.desk import Desk as Desk  # noqa: PLC0414 - see above
    from cafe.orders.dispatcher import Dispatcher as Dispatcher  # noqa: PLC0414 - see above


class Claim(NamedTuple):
    """An order that a barista has claimed, and how many still wait."""

    order: Order
    waiting: int


class OrderPage(NamedTuple):
    """Some of the orders that wait or are in preparation, oldest first."""

    standings: list[Standing]
    goes_on: bool
    """Whether there are more after these."""


class PlacedPage(NamedTuple):
    """Some of the orders of baskets, the newest first."""

    standings: list[Standing]
    behind: int | None
    """The ticket number behind which the next page begins; None on the last one."""


MOST_LISTED = 500
"""Orders on one page: the Dispatcher handles nothing else while it makes one."""


@dataclass(frozen=True, slots=True)
class QueueCount:
    """How busy the shop is."""

    waiting: int
    preparing: int
    baristas: int
    """Those who hold an order or wait for one."""
    eta_seconds: float | None
    """For a customer who orders now."""
    accepting: bool
    by_status: dict[Status, int]
    """Orders in memory: those that have not ended, and recently ended ones."""
    paused: Pause | None = None
    """Why new orders are not accepted, if a manager has paused the shop."""


_claims = count(1)


@cache
def _process() -> str:
    """Return what no other process has: made at its use, for a fork has all that was imported."""
    return secrets.token_urlsafe(12)


def new_claim() -> str:
    """Return a new id for a claim, unique across processes; it is no secret."""
    return f"{_process()} {next(_claims)}"


@dataclass(frozen=True, slots=True)
class PlaceOrder(Message["Dispatcher", Standing]):
    """Place an order; answered when it is committed. The same id or key is the same order."""

    order_id: str
    """The id of the order, if this makes a new one: from `OrderIds.new`."""
    drink: str
    name: str | None
    address: str
    max_waiting: int
    """How many orders of this address may wait: the RateLimiter's allowance, enforced here."""
    key: str | None = None
    bound: bool = True
    """Whether it is cancelled when its customer disconnects. One with a key never is."""
    held_by: str | None = None
    """The order that the ledger has under this key: refused with ForgottenOrder if unknown."""
    basket: Basket | None = None
    """What is ordered, if it is not a drink of the plain counter; then a key belongs to the account
    and not to the address, and the order is never bound. One that is prepaid is placed however
    many orders wait."""
    destination: Destination | None = None
    """Where a courier brings a basket, if its customer does not come to the counter."""
    front: str | None = None
    """The front at which its customer waits: it holds the order, as HoldOrders says."""
    hold: int = 0
    """The number of that hold."""


def basket_order(
    order_id: str,
    basket: Basket,
    destination: Destination | None = None,
    *,
    address: str,
    max_waiting: int,
    key: str | None = None,
) -> PlaceOrder:
    """Return the message that places a basket."""
    return PlaceOrder(
        order_id,
        basket.summary,
        None,
        address,
        max_waiting,
        key,
        bound=False,
        basket=basket,
        destination=destination,
    )


@dataclass(frozen=True, slots=True)
class PublishOrder(Message["Dispatcher", Standing]):
    """Have a courier bring what needs no brewing: an order that begins as ready.

    The same id is the same order. No limit refuses it.
    """

    order_id: str
    """From `OrderIds.new`."""
    name: str
    """What it is, as an order of the counter names its drink."""
    destination: Destination
    by: str | None = None


@dataclass(frozen=True, slots=True)
class HandOver(Message["Dispatcher", Standing]):
    """Hand over an order that a courier has brought; repeating it does nothing.

    Refused with OrderConflict unless it is ready, and for one that no courier brings.
    """

    order_id: str
    by: str | None = None
    known: Order | None = None
    """The order that the ledger has: used if the Dispatcher has forgotten it."""


@dataclass(frozen=True, slots=True)
class CallOff(Message["Dispatcher", Standing]):
    """Cancel an order that is ready and that no courier brings any longer; repeating does nothing.

    Refused with OrderConflict unless it is ready, and for one that no courier was to bring.
    """

    order_id: str
    by: str | None = None
    reason: str | None = None
    known: Order | None = None
    """As in HandOver."""


@dataclass(frozen=True, slots=True)
class CheckRoom(Message["Dispatcher", None]):
    """Be refused as a basket would be that is placed now: before it is charged."""

    address: str
    max_waiting: int


@dataclass(frozen=True, slots=True)
class AwaitOrder(Message["Dispatcher", Standing]):
    """Wait until an order has ended. An ask that is cancelled is a hang-up."""

    order_id: str
    collects: bool = True
    """Whether the asker is its customer, and so is handed the coffee."""
    timed: bool = False
    """The asker bounds its wait, and sends KeepOrder or HangUp afterwards."""


@dataclass(frozen=True, slots=True)
class HoldOrders(Message["Dispatcher", dict[str, Standing]]):
    """Have customers wait at a front, and collect there; answered with where each order stands.

    An order that is held is handed over as it is finished, and one that is ready at once. Those
    that are not in memory are left out. A wait does not cross the bus: the front follows the log.
    """

    front: str
    order_ids: tuple[str, ...]
    hold: int
    """The number of these holds: each front counts them up, with those that it leaves."""


@dataclass(frozen=True, slots=True)
class LeaveOrder(Message["Dispatcher", None]):
    """A customer no longer waits at a front: it ends the front's holds up to this number."""

    front: str
    order_id: str
    hold: int
    hangs_up: bool = True
    """Whether it disconnected, so that an order that is bound to its connection is abandoned."""


@dataclass(frozen=True, slots=True)
class LeaveFront(Message["Dispatcher", int]):
    """A front has gone, and all customers there with it; answered with how many orders it held."""

    front: str


@dataclass(frozen=True, slots=True)
class KeepOrder(Message["Dispatcher", Standing]):
    """Unbind an order from its connection: its customer is about to be told its id."""

    order_id: str


@dataclass(frozen=True, slots=True)
class HangUp(Message["Dispatcher", None]):
    """The customer disconnected, or was refused, before they were told the order's id."""

    order_id: str


@dataclass(frozen=True, slots=True)
class CollectOrder(Message["Dispatcher", Standing]):
    """Hand over an order that only the ledger still has."""

    order: Order


@dataclass(frozen=True, slots=True)
class FindOrder(Message["Dispatcher", Standing]):
    """Look at an order."""

    order_id: str


@dataclass(frozen=True, slots=True)
class MoveOrder(Message["Dispatcher", Standing]):
    """Move an order exactly one status on, by the same transitions as start, finish and hand over.

    Refused with WrongStep for any other status, and with NeedsCourier where a courier hands it
    over.
    """

    order_id: str
    status: Status
    by: str | None = None
    lease_seconds: float = 0.0
    """So long is the lease of one that is started, if that is longer than the usual one."""
    known: Order | None = None
    """The order that the ledger has: used if the Dispatcher has forgotten it."""


@dataclass(frozen=True, slots=True)
class FindOrders(Message["Dispatcher", dict[str, Standing]]):
    """Look at several orders; those that are not in memory are left out."""

    order_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindPlaced(Message["Dispatcher", Standing | None]):
    """Look for the order that an account placed with a key; None if there is none in memory.

    Refused with KeyReused if it has another fingerprint.
    """

    account_id: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class CancelOrder(Message["Dispatcher", Standing]):
    """Take a waiting order out of the queue."""

    order_id: str
    by: str | None = None
    """Who of the staff does it; None for its customer."""


@dataclass(frozen=True, slots=True)
class StartOrder(Message["Dispatcher", Claim | None]):
    """Claim the oldest waiting order. The same claim id is the same claim, as long as it holds."""

    barista: str | None = None
    waits: bool = False
    """Whether to wait for an order, as long as the ask lasts; else None is answered."""
    claim: str = field(default_factory=new_claim)
    keyed: bool = False
    """Whether the barista chose the claim's id, and can repeat it after a lost answer: then the
    claim is not released when its answer is lost."""


@dataclass(frozen=True, slots=True)
class FinishOrder(Message["Dispatcher", Order]):
    """Declare a claimed order ready; repeating it does nothing."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ReleaseOrder(Message["Dispatcher", Order]):
    """Release a claimed order."""

    order_id: str
    claim: str | None = None
    """If given, another claim than this one is left alone."""


@dataclass(frozen=True, slots=True)
class ListOrders(Message["Dispatcher", OrderPage]):
    """List orders that wait or are in preparation, oldest first: one page."""

    barista: str | None = None
    """Only the claims of this barista."""
    behind: int = 0
    """The page begins after this ticket number."""
    most: int = MOST_LISTED


@dataclass(frozen=True, slots=True)
class ListReady(Message["Dispatcher", list[Order]]):
    """List the orders in memory that are ready and not handed over yet."""


@dataclass(frozen=True, slots=True)
class CountQueue(Message["Dispatcher", QueueCount]):
    """Count the orders in memory."""


@dataclass(frozen=True, slots=True)
class PauseOrders(Message["Dispatcher", None]):
    """Take no new orders until then, or change the pause; repeating does nothing."""

    pause: Pause


@dataclass(frozen=True, slots=True)
class ResumeOrders(Message["Dispatcher", None]):
    """Take new orders again; repeating does nothing."""

    by: str | None = None


@dataclass(frozen=True, slots=True)
class CutOff(Message["Dispatcher", int]):
    """Cancel the waiting orders of a banned address; answered with how many."""

    address: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CloseShop(Message["Dispatcher", int]):
    """Refuse all who wait, and cancel their orders; answered with the number of customers."""


@dataclass(frozen=True, slots=True)
class LoadOrders(Message["Dispatcher", None]):
    """Load the committed state again: the database has refused a row."""
