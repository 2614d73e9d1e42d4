"""Orders as JSON: pydantic models, used only at the edge, and the functions that fill them.

Rule: one function per shape, from the Dispatcher's value. Times are RFC 3339 in UTC, durations
seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, Field

from cafe.http.app import example, problems
from cafe.http.schema import Id, Schema, Text, schema_example
from cafe.orders.line_schemas import ITEMS, LineOut, items_out, metadata_out
from cafe.orders.order import Order, Status
from cafe.orders.refusals import OrderConflict, UnknownOrder

if TYPE_CHECKING:
    # It exports a model from here.
    from cafe.orders.messages import Claim, Pause, QueueCount, Standing

ORDER_ID: Final = {"order_id": "hT0bn5ZqYc1xJ3Qek8V_d4Wn"}
WISH: Final = {"drink": "americano", "name": "Ada"}
TICKET: Final = {**ORDER_ID, "number": 17}

ORDER: Final[dict[str, Any]] = {
    **TICKET,
    **WISH,
    "status": "ready",
    "position": None,
    "eta_seconds": None,
    "placed_at": "2026-03-14T09:26:53.589793Z",
    "started_at": "2026-03-14T09:27:08.979323Z",
    "ready_at": "2026-03-14T09:27:54.789793Z",
    "waited_seconds": 61.2,
    "message": "Order 17 is ready.",
}
BASKET_ORDER: Final[dict[str, Any]] = {
    **ORDER,
    "drink": "2 latte (vanilla)",
    "name": None,
    "total_cents": 860,
    "items": ITEMS,
    "metadata": {"table": 4},
}
WAITING: Final[dict[str, Any]] = {
    **ORDER,
    "status": "waiting",
    "position": 1,
    "eta_seconds": 45.81,
    "started_at": None,
    "ready_at": None,
    "waited_seconds": 15.39,
    "message": "Order 17 is number 1 in the queue.",
}
ORDERS: Final[dict[str, Any]] = {
    "orders": [{**WAITING, "items": [], "barista": None, "lease_expires_at": None, "lapsed": False}]
}
PAUSED: Final = {"until": "2026-03-14T09:45:00Z", "text": "Back at a quarter to ten."}
QUEUE: Final = {
    "waiting": 1,
    "preparing": 9,
    "baristas": 10,
    "eta_seconds": 45.81,
    "accepting": True,
    "paused": None,
}
CLAIM: Final[dict[str, Any]] = {
    **TICKET,
    **WISH,
    "placed_at": ORDER["placed_at"],
    "waited_seconds": 15.39,
    "barista": "Bo",
    "lease_expires_at": "2026-03-14T09:30:08.979323Z",
    "waiting": 0,
    "items": [],
}
FINISHED: Final = {**TICKET, "status": "ready", "brewed_seconds": 45.81, "collected": True}
RELEASED: Final = {**TICKET, "status": "waiting"}
DEFAULT_DRINK: Final = "americano"
"""The drink of an order that names none."""

CONFLICT: Final = problems(
    409,
    because="The order stands where this cannot be done; the member `order_status` says where.",
    refusal=OrderConflict(Status.READY, "cancelled"),
)
NO_SUCH_ORDER: Final = problems(404, refusal=UnknownOrder())


Drink = Annotated[
    Text,
    Field(min_length=1, max_length=80, description="The name or the id of a product on the menu."),
]
Name = Annotated[Text, Field(min_length=1, max_length=80)]


class OrderIn(Schema):
    """What a customer may say about an order; all of it is optional."""

    model_config = schema_example(WISH)

    drink: Drink = DEFAULT_DRINK
    name: Name | None = Field(default=None, description="Called out when the coffee is ready.")


class OrderIdIn(Schema):
    """The order that a barista means."""

    model_config = schema_example(ORDER_ID)

    order_id: Id


class OrderOut(BaseModel):
    """One order as its customer sees it, the same shape at every status."""

    model_config = example(ORDER)

    order_id: str = Field(description="Opaque; who knows it may look at the order and cancel it.")
    number: int = Field(description="The ticket number.")
    drink: str
    name: str | None
    status: Status
    position: int | None = Field(description="1 is started next; null once it does not wait.")
    eta_seconds: float | None = Field(
        description="Estimated seconds until it is ready; null until a brewing time is known."
    )
    placed_at: datetime
    started_at: datetime | None
    ready_at: datetime | None
    waited_seconds: float
    message: str


class ListedOut(OrderOut):
    """One order as baristas see it; one of the plain counter has no items."""

    model_config = example(ORDERS["orders"][0])

    items: list[LineOut]
    barista: str | None = Field(description="Who has it in preparation, if they gave a name.")
    lease_expires_at: datetime | None = Field(description="Null for one that waits.")
    lapsed: bool = Field(description="A lease on it expired: who had it may still finish it.")


class BasketOrderOut(OrderOut):
    """The order of a basket: the counter's shape, and what was sold."""

    model_config = example(BASKET_ORDER)

    total_cents: int
    items: list[LineOut]
    metadata: Any = Field(description="As it was given, or null.")


class PausedOut(BaseModel):
    """Until when no new orders are taken."""

    model_config = example(PAUSED)

    until: datetime
    text: str = Field(description="What the shop has to say to it; empty if nothing.")


class QueueOut(BaseModel):
    """How busy the shop is."""

    model_config = example(QUEUE)

    waiting: int
    preparing: int
    baristas: int = Field(description="Those with an order in hand or waiting for one.")
    eta_seconds: float | None = Field(description="For an order placed now; null while unknown.")
    accepting: bool
    paused: PausedOut | None = Field(description="Null unless a manager has paused the shop.")


class ClaimOut(BaseModel):
    """The order that a barista has claimed."""

    model_config = example(CLAIM)

    order_id: str
    number: int
    drink: str
    name: str | None
    placed_at: datetime
    waited_seconds: float
    barista: str | None
    lease_expires_at: datetime
    waiting: int = Field(description="How many are left in the queue.")
    items: list[LineOut] = Field(description="Empty for an order of the plain counter.")


class FinishedOut(BaseModel):
    """The order that a barista has declared ready."""

    model_config = example(FINISHED)

    order_id: str
    number: int
    status: Status = Status.READY
    brewed_seconds: float
    collected: bool = Field(description="A customer was waiting for it, or can still collect it.")


class ReleasedOut(BaseModel):
    """The order that a barista has released; cancelled if its customer has hung up."""

    model_config = example(RELEASED)

    order_id: str
    number: int
    status: Status


class OrdersOut(BaseModel):
    """Orders that wait or are in preparation, oldest first."""

    model_config = example(ORDERS)

    orders: list[ListedOut]


moment = partial(datetime.fromtimestamp, tz=UTC)
"""Returns seconds since the epoch as a time in UTC."""

Members = dict[str, Any]
"""The members of one of the models above, ready for JSON; a test compares them with it."""


def order_out(standing: Standing) -> Members:
    """Return the members of `OrderOut`."""
    order, eta = standing.order, standing.eta_seconds
    started = order.started_at if order.status is not Status.WAITING else None
    ready = order.ended_at if order.status is not Status.CANCELLED else None
    return {
        "order_id": order.order_id,
        "number": order.number,
        "drink": order.drink,
        "name": order.name,
        "status": order.status,
        "position": standing.position,
        "eta_seconds": None if eta is None else round(eta, 3),
        "placed_at": moment(order.placed_at),
        "started_at": None if started is None else moment(started),
        "ready_at": None if ready is None else moment(ready),
        "waited_seconds": round(standing.waited_seconds, 3),
        "message": message(order, standing.position),
    }


def listed_out(standing: Standing) -> Members:
    """Return the members of `ListedOut`."""
    order, expires = standing.order, standing.order.lease_expires_at
    return {
        **order_out(standing),
        "items": items_out(order),
        "barista": order.barista,
        "lease_expires_at": None if expires is None else moment(expires),
        "lapsed": order.lapsed,
    }


def basket_out(standing: Standing) -> Members:
    """Return the members of `BasketOrderOut`, for a customer or for staff."""
    shown, basket = order_out(standing), standing.order.basket
    if basket is not None:
        shown["total_cents"] = basket.total_cents
        shown["items"] = items_out(standing.order)
        shown["metadata"] = metadata_out(basket)
    return shown


def message(order: Order, position: int | None) -> str:
    """Return where an order stands, in one sentence for people."""
    if position is not None:
        return f"Order {order.number} is number {position} in the queue."
    said = {
        Status.PREPARATION: "is being prepared",
        Status.READY: "is ready",
        Status.DELIVERED: "was handed over",
        Status.CANCELLED: "is cancelled",
    }
    return f"Order {order.number} {said[order.status]}."


def paused_out(pause: Pause) -> Members:
    """Return the members of `PausedOut`."""
    return {"until": pause.shown_until, "text": pause.text}


def queue_out(count: QueueCount) -> Members:
    """Return the members of `QueueOut`."""
    eta = count.eta_seconds
    return {
        "waiting": count.waiting,
        "preparing": count.preparing,
        "baristas": count.baristas,
        "eta_seconds": None if eta is None else round(eta, 3),
        "accepting": count.accepting,
        "paused": count.paused and paused_out(count.paused),
    }


def claim_out(claim: Claim) -> Members:
    """Return the members of `ClaimOut`."""
    order = claim.order
    return {
        "order_id": order.order_id,
        "number": order.number,
        "drink": order.drink,
        "name": order.name,
        "placed_at": moment(order.placed_at),
        "waited_seconds": round(order.waited_seconds(order.started_at or order.placed_at), 3),
        "barista": order.barista,
        "lease_expires_at": moment(order.lease_expires_at or 0.0),
        "waiting": claim.waiting,
        "items": items_out(order),
    }


def finished_out(order: Order) -> Members:
    """Return the members of `FinishedOut`."""
    return {
        "order_id": order.order_id,
        "number": order.number,
        "status": Status.READY,
        "brewed_seconds": round(order.brewed_seconds, 3),
        "collected": not order.abandoned,
    }


def released_out(order: Order) -> ReleasedOut:
    """Return a released order as a barista sees it."""
    return ReleasedOut(order_id=order.order_id, number=order.number, status=order.status)
