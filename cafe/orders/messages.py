"""The messages of the Dispatcher, and their answers.

Rule: frozen values only. Every command about an order carries an id that its sender made (of
the order, of a claim), so that it can be repeated after any crash and takes effect once.
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
    """The ticket number after which the next page begins; None on the last one."""


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
    """The estimate for an order placed now; None while no brewing time is known."""
    accepting: bool
    by_status: dict[Status, int]
    """Orders in memory: those that have not ended, and recently ended ones."""
    paused: Pause | None = None
    """Why new orders are not accepted, if a manager has paused the shop."""


_claims = count(1)


@cache
def _process() -> str:
    """Return an id of this process, made on first use: forks share what is made at import."""
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
    """The basket that is ordered, if it is not a drink of the plain counter; then a key belongs to
    the account and not to the address, and the order is never bound. A prepaid one is placed
    however many orders wait."""
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
    """Add an order that needs no brewing: it begins as ready, for a courier to bring.

    The same id is the same order. No limit applies to it.
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

    Refused with OrderConflict unless it is ready, and if no courier brings it.
    """

    order_id: str
    by: str | None = None
    known: Order | None = None
    """The order that the ledger has: used if the Dispatcher has forgotten it."""


@dataclass(frozen=True, slots=True)
class CallOff(Message["Dispatcher", Standing]):
    """Cancel a ready order that no courier will bring; repeating it does nothing.

    Refused with OrderConflict unless it is ready, and if no courier was to bring it.
    """

    order_id: str
    by: str | None = None
    reason: str | None = None
    known: Order | None = None
    """As in HandOver."""


@dataclass(frozen=True, slots=True)
class CheckRoom(Message["Dispatcher", None]):
    """Check that a basket could be placed now, before it is charged; refused as it would be."""

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
    """Hold orders for customers at a front, who collect there; answered with their standings.

    A held order is handed over when it is finished, and a ready one at once. Orders that are not in
    memory are left out. A wait does not cross the bus: the front follows the log.
    """

    front: str
    order_ids: tuple[str, ...]
    hold: int
    """The number of these holds: a front numbers its holds and leaves in one sequence."""


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
    """Unbind an order from its connection: its customer is about to receive its id."""

    order_id: str


@dataclass(frozen=True, slots=True)
class HangUp(Message["Dispatcher", None]):
    """The customer disconnected, or was refused, before they received the order's id."""

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

    Refused with WrongStep for any other status, and with NeedsCourier if a courier hands it
    over.
    """

    order_id: str
    status: Status
    by: str | None = None
    lease_seconds: float = 0.0
    """The lease of an order that is started, if longer than the usual one."""
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
    """Cancel a waiting order."""

    order_id: str
    by: str | None = None
    """The staff member who cancels it; None for its customer."""


@dataclass(frozen=True, slots=True)
class StartOrder(Message["Dispatcher", Claim | None]):
    """Claim the oldest waiting order. The same claim id is the same claim, as long as it holds."""

    barista: str | None = None
    waits: bool = False
    """Whether to wait for an order, for as long as the ask lasts; else the answer is None."""
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
    """If given, the order is released only while it is held by this claim."""


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
    """Refuse new orders until the pause ends, or change the pause; repeating does nothing."""

    pause: Pause


@dataclass(frozen=True, slots=True)
class ResumeOrders(Message["Dispatcher", None]):
    """Accept new orders again; repeating does nothing."""

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
    """Reload the committed state: the database has refused a row."""
