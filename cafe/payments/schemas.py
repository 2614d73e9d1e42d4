"""The HTTP schemas of baskets and their payments.

Rule: pydantic is used here only, at the edge. Nothing of a provider's answer is shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, Field

from cafe.http.app import example
from cafe.http.schema import (
    NFC,
    TIDY,
    Cents,
    Id,
    Integer,
    Metadata,
    Schema,
    Text,
    schema_example,
)
from cafe.ledger.department import Logged
from cafe.orders.messages import BasketOrderOut
from cafe.payments.payment import Status
from cafe.payments.pricing import Delivery, Item, fingerprint
from cafe.payments.till import Ordered, Wish

if TYPE_CHECKING:
    from cafe.orders.messages import Desk, Order

MOST_ITEMS: Final = 100
MOST_QUANTITY: Final = 100

MOST_ADDRESS: Final = 500

ITEM: Final = {"product_id": "latte", "variation_id": "latte-vanilla", "quantity": 2}
BASKET: Final = {"items": [ITEM], "total_cents": 860, "metadata": {"table": 4}}
ORDER: Final[dict[str, Any]] = {
    "order_id": "hT0bn5ZqYc1xJ3Qek8V_d4Wn",
    "number": 17,
    "drink": "2 latte (vanilla)",
    "name": None,
    "status": "waiting",
    "position": 1,
    "eta_seconds": 45.81,
    "placed_at": "2026-03-14T09:26:53.589793Z",
    "started_at": None,
    "ready_at": None,
    "waited_seconds": 0.0,
    "message": "Order 17 is number 1 in the queue.",
    "total_cents": 860,
    "items": [
        {
            **ITEM,
            "name": "Latte",
            "variation": "Vanilla",
            "unit_price_cents": 430,
            "total_cents": 860,
        }
    ],
    "metadata": {"table": 4},
    "payment": {"status": "placed"},
    "fulfilment": {"type": "counter"},
}
COUNTER: Final = {"type": "counter"}
TO_HARBOUR: Final = {"type": "delivery", "district": "Harbour", "address": "1 Quay Street"}
BROUGHT: Final = {**TO_HARBOUR, "district_id": "dst_4f2a9c"}
EVENT: Final = {
    "position": 4711,
    "action": "place",
    "status": "waiting",
    "occurred_at": "2026-03-14T09:26:53.589793Z",
}


class ItemIn(Schema):
    """One line of a basket."""

    model_config = schema_example(ITEM)

    product_id: Id
    variation_id: Id | None = None
    quantity: Annotated[Integer, Field(ge=1, le=MOST_QUANTITY)]


class CounterIn(Schema):
    """The customer comes for it."""

    model_config = schema_example(COUNTER)

    type: Literal["counter"]


class ByCourierIn(Schema):
    """A courier brings it."""

    model_config = schema_example(TO_HARBOUR)

    type: Literal["delivery"]
    district: Annotated[
        Text, Field(min_length=1, max_length=80, description="The name or the id of a district.")
    ]
    address: Annotated[Text, Field(min_length=1, max_length=MOST_ADDRESS), TIDY, NFC]


class BasketIn(Schema):
    """What a customer orders."""

    model_config = schema_example(BASKET)

    items: Annotated[list[ItemIn], Field(min_length=1, max_length=MOST_ITEMS)]
    metadata: Metadata | None = Field(default=None, description="Given back as it is.")
    total_cents: Cents | None = Field(
        default=None, description="What it should cost: if it costs anything else, that is a 409."
    )
    fulfilment: Annotated[
        CounterIn | ByCourierIn | None,
        Field(discriminator="type", description="How you get it: by default at the counter."),
    ] = None


class StatusIn(Schema):
    """Where staff move an order."""

    model_config = schema_example({"status": "preparation"})

    status: Annotated[Text, Field(max_length=32)]


class PaymentOut(BaseModel):
    """The payment of an order."""

    model_config = example({"status": "placed"})

    status: Status


class CounterOut(BaseModel):
    """The customer comes for it."""

    model_config = example(COUNTER)

    type: Literal["counter"]


class ByCourierOut(BaseModel):
    """A courier brings it."""

    model_config = example(BROUGHT)

    type: Literal["delivery"]
    district_id: str
    district: str = Field(description="The district's name, as it was when this was ordered.")
    address: str | None


class PaidOrderOut(BasketOrderOut):
    """The order of a basket with its payment; one of the plain counter has no total."""

    model_config = example(ORDER)

    total_cents: int | None  # type: ignore[assignment] # staff see plain orders, too
    payment: PaymentOut
    fulfilment: Annotated[CounterOut | ByCourierOut, Field(discriminator="type")]


class PaidOrdersOut(BaseModel):
    """Orders of baskets, the newest first."""

    model_config = example({"orders": [ORDER]})

    orders: list[PaidOrderOut]


class EventOut(BaseModel):
    """Something that happened to an order."""

    model_config = example(EVENT)

    position: int
    action: str
    status: str = Field(description="Where the order stood then.")
    occurred_at: datetime


class EventsOut(BaseModel):
    """What happened to an order, the oldest first."""

    model_config = example({"events": [EVENT]})

    events: list[EventOut]


def wish_of(
    basket: BasketIn, account_id: str, address: str, max_waiting: int, key: str | None
) -> Wish:
    """Return the Wish of a request's basket."""
    items = tuple(Item(one.product_id, one.variation_id, one.quantity) for one in basket.items)
    metadata = None if basket.metadata is None else json.dumps(basket.metadata)
    asked = basket.fulfilment
    fulfilment = None if asked is None else asked.type
    delivery = None
    if isinstance(asked, ByCourierIn):
        delivery = Delivery(asked.district, asked.address)
    return Wish(
        account_id,
        address,
        max_waiting,
        items,
        fingerprint(items, basket.metadata, basket.total_cents, delivery or fulfilment),
        metadata,
        basket.total_cents,
        key,
        delivery,
    )


def order_out(desk: Desk, ordered: Ordered) -> dict[str, Any]:
    """Return the JSON of an order with its payment."""
    plain: dict[str, Any] = {"total_cents": None, "items": [], "metadata": None}
    return {
        **plain,
        **desk.show(ordered.standing),
        "payment": {"status": ordered.payment},
        "fulfilment": fulfilment_out(ordered.standing.order),
    }


@dataclass(frozen=True, slots=True)
class Shown:
    """A way to show orders, with the schemas that document it."""

    order: Callable[[Desk, Ordered], dict[str, Any]]
    schema: type[BaseModel]
    list_schema: type[BaseModel]

    def orders(self, desk: Desk, page: Sequence[Ordered]) -> dict[str, Any]:
        """Return the JSON of a page of a list."""
        return {"orders": [self.order(desk, one) for one in page]}


OURS: Final = Shown(order_out, PaidOrderOut, PaidOrdersOut)


def fulfilment_out(order: Order) -> dict[str, Any]:
    """Return how an order is handed over; it has the address, for its customer and staff only."""
    if order.destination is None:
        return {"type": "counter"}
    return {"type": "delivery", **order.destination._asdict()}


def events_out(events: Sequence[Logged]) -> dict[str, Any]:
    """Return the JSON of an order's events, without the barista of each."""
    return {
        "events": [
            {
                "position": position,
                "action": event.action,
                "status": event.after,
                "occurred_at": datetime.fromtimestamp(event.at, UTC),
            }
            for position, _, event, _ in events
        ]
    }
