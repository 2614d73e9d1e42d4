"""The orders of each system's export, and their conversion to ours.

Rule: an order keeps the total that its customer paid, to the cent. functech's orders have a total
and no prices: the lines share the total in proportion to the menu's prices.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from cafe.compat.fields import TotalPrice
from cafe.compat.imports.records import (
    DistrictName,
    Exported,
    FormerId,
    Id,
    Time,
    named,
)
from cafe.delivery.schemas import LongText
from cafe.http.schema import Cents, Metadata
from cafe.menu.product import Menu
from cafe.menu.schemas import Name
from cafe.orders.importing import AS_THEY_STAND, Sold
from cafe.orders.order import Line, Status

MOST_ITEMS: Final = 1_000
MOST_QUANTITY: Final = 10_000
NO_PRODUCT: Final = "imported"
"""In place of the id of a product that is not on the menu."""

Quantity = Annotated[int, Field(ge=1, le=MOST_QUANTITY)]


class Item(NamedTuple):
    """A line of an order, without a price."""

    name: str
    variation: str | None
    quantity: int


class OrderRecord(Exported):
    """The members that orders of customers have in each system."""

    order_id: FormerId = Field(validation_alias=named("order_id", "id"))
    user_id: Id = Field(validation_alias=named("user_id", "customer_id"))
    created_at: Time = Field(validation_alias=named("created_at", "placed_at"))
    ended_at: Time | None = Field(
        default=None, validation_alias=named("ended_at", "ready_at", "updated_at")
    )

    @field_validator("ended_at")
    @classmethod
    def _ends_after_it_begins(cls, ended_at: float | None, others: ValidationInfo) -> float | None:
        if ended_at is not None and ended_at < others.data.get("created_at", ended_at):
            raise PydanticCustomError("time", "It ended before it was created")
        return ended_at


class ItemRecord(Exported):
    """A line of an order of functech."""

    quantity: Quantity = 1
    variation: Name | None = None


class FunctechOrder(OrderRecord):
    """An order of functech."""

    items: Annotated[dict[Name, ItemRecord], Field(min_length=1, max_length=MOST_ITEMS)]
    total_price: TotalPrice
    status: Literal["PENDING", "PAID", "SHIPPED", "CANCELED"]

    def sold(self, menu: Menu) -> Sold:
        """Return the order; one that is paid waits for a barista."""
        items = [Item(name, one.variation, one.quantity) for name, one in self.items.items()]
        lines = lines_of(items, self.total_price, menu)
        return Sold(
            self.order_id,
            self.user_id,
            lines,
            sum(one.total_cents for one in lines),
            STATUS[self.status],
            self.created_at,
            self.created_at if self.ended_at is None else self.ended_at,
        )


STATUS: Final[Mapping[str, Status]] = {
    "PENDING": Status.WAITING,
    "PAID": Status.WAITING,
    "SHIPPED": Status.DELIVERED,
    "CANCELED": Status.CANCELLED,
}
"""By functech's status: the status here."""


class LineRecord(Exported):
    """A line of an order of coffee-shop."""

    product_id: Id
    variation_id: Id | None = None
    name: Name
    variation: Name | None = None
    quantity: Quantity
    unit_price_cents: Cents


class CoffeeShopOrder(OrderRecord):
    """An order of coffee-shop."""

    items: Annotated[list[LineRecord], Field(min_length=1, max_length=MOST_ITEMS)]
    total_cents: Cents
    status: Annotated[Status, Field(strict=False)]
    metadata: Metadata | None = None

    @field_validator("total_cents")
    @classmethod
    def _is_what_the_items_cost(cls, total_cents: int, others: ValidationInfo) -> int:
        items: list[LineRecord] | None = others.data.get("items")
        if items is not None:
            cents = sum(one.quantity * one.unit_price_cents for one in items)
            if cents != total_cents:
                raise PydanticCustomError("total", "The items cost {cents}", {"cents": cents})
        return total_cents

    def sold(self, _menu: Menu) -> Sold:
        """Return the order; one that was in preparation waits for a barista of ours."""
        return Sold(
            self.order_id,
            self.user_id,
            tuple(
                Line(
                    one.product_id,
                    one.variation_id,
                    one.name,
                    one.variation,
                    one.quantity,
                    one.unit_price_cents,
                )
                for one in self.items
            ),
            self.total_cents,
            self.status if self.status in AS_THEY_STAND else Status.WAITING,
            self.created_at,
            self.created_at if self.ended_at is None else self.ended_at,
            None if self.metadata is None else json.dumps(self.metadata, ensure_ascii=False),
        )


class CourierServiceOrder(Exported):
    """An order of courier-service, which a courier brings."""

    order_id: FormerId = Field(validation_alias=named("sid", "order_sid", "order_id", "id"))
    name: LongText
    district: DistrictName
    courier_sid: Id = Field(validation_alias=named("courier_sid", "courier_id"))
    status: Literal[1, 2]
    created_at: Time | None = None
    finished_at: Time | None = Field(
        default=None, validation_alias=named("finished_at", "ended_at", "updated_at")
    )


def lines_of(items: Sequence[Item], total_cents: int, menu: Menu) -> tuple[Line, ...]:
    """Return lines that add up to a total, each with its share by the menu's prices.

    A total of 0 means that none was stated: then the menu's prices are used. If a product is not on
    the menu, or costs nothing there, all units have equal shares. If a share is not a whole number
    of cents per unit, some units cost one cent more, on a separate line.
    """
    found = [_line(item, menu) for item in items]
    costs = [one.total_cents for one in found]
    if total_cents in {0, sum(costs)}:
        return tuple(found)
    weights = costs if all(costs) else [one.quantity for one in found]
    lines: list[Line] = []
    for line, cents in zip(found, shares_of(total_cents, weights), strict=True):
        unit, more = divmod(cents, line.quantity)
        parts = ((line.quantity - more, unit), (more, unit + 1))
        lines += [
            line._replace(quantity=quantity, unit_price_cents=price)
            for quantity, price in parts
            if quantity
        ]
    return tuple(lines)


def shares_of(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole shares of a total by weights, which are positive; together they are the total.

    Each is within one of its exact share: it is the difference of two rounded sums.
    """
    whole, passed, given = sum(weights), 0, 0
    shares: list[int] = []
    for weight in weights:
        passed += weight
        reached = total * passed // whole
        shares.append(reached - given)
        given = reached
    return shares


def _line(item: Item, menu: Menu) -> Line:
    name, variation, quantity = item
    product = menu.find(name)
    if product is None:
        return Line(NO_PRODUCT, None, name, variation, quantity, 0)
    product_id, price = product.product_id, product.base_price_cents
    found = None if variation is None else product.find_variation(variation)
    if found is None:
        return Line(product_id, None, product.name, variation, quantity, price)
    price += found.price_change_cents
    return Line(product_id, found.variation_id, product.name, found.name, quantity, price)
