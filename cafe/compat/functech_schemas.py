"""The HTTP schemas of functech.

Rule: an order is as its clients know it: its lines are members named after products, its status is
one of four words, and its price is a decimal.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from cafe.accounts.schemas import PASSWORD, USER, EmailText, NewPassword, Username
from cafe.accounts.tokens import LONGEST
from cafe.compat.fields import TotalPrice, price_of
from cafe.http.app import example
from cafe.http.reply import utc_time
from cafe.http.schema import Id, Integer, Schema, Text, schema_example
from cafe.menu.messages import Menu
from cafe.menu.schemas import LONGEST_NAME
from cafe.orders.messages import Order, Status
from cafe.payments.pricing import Item
from cafe.payments.schemas import MOST_ITEMS, MOST_QUANTITY, ORDER

DONE: Final = "Successful"
ITEMS: Final = {"Latte": {"quantity": 2, "variation": "Vanilla"}}
SHOWN: Final[dict[str, Any]] = {
    "order_id": ORDER["order_id"],
    "user_id": USER["user_id"],
    "items": ITEMS,
    "total_price": 8.6,
    "status": "PENDING",
    "created_at": ORDER["placed_at"],
}


class FunctechStatus(StrEnum):
    """The status of an order in functech."""

    PENDING = "PENDING"
    PAID = "PAID"
    SHIPPED = "SHIPPED"
    CANCELED = "CANCELED"


STATUSES: Final = {
    Status.WAITING: FunctechStatus.PENDING,
    Status.PREPARATION: FunctechStatus.PAID,
    Status.READY: FunctechStatus.SHIPPED,
    Status.DELIVERED: FunctechStatus.SHIPPED,
    Status.CANCELLED: FunctechStatus.CANCELED,
}


class NewUserIn(Schema):
    """A customer's new account."""

    model_config = schema_example(
        {"username": USER["username"], "email": USER["email"], "password": PASSWORD}
    )

    username: Username
    email: EmailText
    password: NewPassword


class RefreshTokenIn(Schema):
    """A refresh token, if it is not in the query."""

    model_config = schema_example({"refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."})

    refresh_token: Annotated[str, Field(max_length=LONGEST)] | None = None


NameOrId = Annotated[Text, Field(min_length=1, max_length=LONGEST_NAME)]


class ItemIn(Schema):
    """How many of a product, and which variation of it."""

    model_config = schema_example(ITEMS["Latte"])

    quantity: Annotated[Integer, Field(ge=1, le=MOST_QUANTITY)] | None = Field(
        default=None, description="One, if nothing is said."
    )
    variation: NameOrId | None = Field(
        default=None, description="The name of a variation, in any case, or its id."
    )


class NewOrderIn(Schema):
    """What a customer orders."""

    model_config = schema_example({"items": ITEMS, "total_price": 8.6})

    items: Annotated[
        dict[NameOrId, ItemIn],
        Field(
            min_length=1,
            max_length=MOST_ITEMS,
            description="By the names of products, in any case, or their ids.",
        ),
    ]
    total_price: TotalPrice | None = Field(
        default=None,
        description="What it should cost: any other total is a 409. 0 says nothing.",
    )


class UpdateIn(Schema):
    """Where staff move an order."""

    model_config = schema_example({"order_id": SHOWN["order_id"], "new_status": "PAID"})

    order_id: Id
    new_status: Annotated[FunctechStatus, Field(strict=False)]


class DoneOut(BaseModel):
    """It is done."""

    model_config = example({"status_code": 200, "transaction": DONE})

    status_code: int
    transaction: str


class NewUserOut(DoneOut):
    """A new account."""

    model_config = example({"status_code": 201, "transaction": DONE, "user_id": USER["user_id"]})

    user_id: str


class NewOrderOut(DoneOut):
    """A new order."""

    model_config = example({"status_code": 201, "transaction": DONE, "order_id": SHOWN["order_id"]})

    order_id: str


class MeOut(BaseModel):
    """The account that is signed in."""

    model_config = example({name: USER[name] for name in ("user_id", "username", "email")})

    user_id: str
    username: str | None
    email: str


class ItemOut(BaseModel):
    """How many of a product, and which variation of it."""

    model_config = example(ITEMS["Latte"])

    quantity: int
    variation: str | None


class OrderOut(BaseModel):
    """An order; one of the plain counter has no account and no price."""

    model_config = example(SHOWN)

    order_id: str
    user_id: str | None
    items: dict[str, ItemOut] = Field(
        description="By the names of products; a second variation of one has it in its name, too."
    )
    total_price: float | None
    status: FunctechStatus
    created_at: datetime


def wanted_items(menu: Menu, basket: NewOrderIn) -> tuple[Item, ...]:
    """Return the lines of a basket with the menu's ids; names that are not on it stay names."""
    items: list[Item] = []
    for name, item in basket.items.items():
        product, variation_id = menu.find(name), item.variation
        if product is not None and variation_id is not None:
            variation = product.find_variation(variation_id)
            variation_id = variation_id if variation is None else variation.variation_id
        product_id = name if product is None else product.product_id
        items.append(Item(product_id, variation_id, item.quantity or 1))
    return tuple(items)


def order_out(order: Order) -> dict[str, Any]:
    """Return the JSON of an order."""
    basket = order.basket
    return {
        "order_id": order.order_id,
        "user_id": None if basket is None else basket.account_id,
        "items": items_out(order),
        "total_price": None if basket is None else price_of(basket.total_cents),
        "status": STATUSES[order.status],
        "created_at": utc_time(order.placed_at),
    }


def items_out(order: Order) -> dict[str, Any]:
    """Return the lines of an order by the names of products, equal ones as one.

    If a product has several variations, the first is under its name, and the others have theirs in
    parentheses; so no line replaces another.
    """
    if order.basket is None:
        return {order.drink: {"quantity": 1, "variation": None}}
    quantities = Counter[tuple[str, str | None]]()
    for line in order.basket.lines:
        quantities[line.name, line.variation] += line.quantity
    shown: dict[str, Any] = {}
    # Lines without a variation come first: their names differ, so each keeps its name.
    for name, variation in sorted(quantities, key=lambda one: one[1] is not None):
        member = name
        while member in shown:
            member += f" ({variation})"
        shown[member] = {"quantity": quantities[name, variation], "variation": variation}
    return shown
