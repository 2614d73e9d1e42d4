"""The lines of a basket over the wire.

Rule: lines are shown as sold. The menu, which may have changed since, is not consulted.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import BaseModel

from cafe.http.app import example
from cafe.orders.order import Basket, Order

ITEMS: Final[list[dict[str, Any]]] = [
    {
        "product_id": "latte",
        "variation_id": "latte-vanilla",
        "name": "Latte",
        "variation": "Vanilla",
        "quantity": 2,
        "unit_price_cents": 430,
        "total_cents": 860,
    }
]


class LineOut(BaseModel):
    """One line of a basket, with names and price as they were sold."""

    model_config = example(ITEMS[0])

    product_id: str
    variation_id: str | None
    name: str
    variation: str | None
    quantity: int
    unit_price_cents: int
    total_cents: int


def items_out(order: Order) -> list[dict[str, Any]]:
    """Return the lines of an order; one of the plain counter has none."""
    if order.basket is None:
        return []
    return [{**one._asdict(), "total_cents": one.total_cents} for one in order.basket.lines]


def metadata_out(basket: Basket) -> Any:
    """Return the customer's own JSON, decoded."""
    return None if basket.metadata is None else json.loads(basket.metadata)
