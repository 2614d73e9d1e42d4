"""The price, destination and payment of a basket, and the order that is placed once it is paid.

Rule: one menu prices all lines of a basket. Names, prices and the district are copied into the
payment, so that later changes of the menu or of the district do not change the order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from cafe.delivery.messages import Coverage
from cafe.http.schema import MOST_INTEGER
from cafe.menu.messages import Menu, Product, Variation
from cafe.orders.messages import Basket, Destination, Line, PlaceOrder, basket_order
from cafe.payments.payment import Payment
from cafe.payments.refusals import NotOnMenu, NotServed

UNLIMITED = 2**31
"""The `max_waiting` of a charged basket: it is placed however many orders of its address wait."""


class Item(NamedTuple):
    """One line as a customer wants it."""

    product_id: str
    variation_id: str | None
    quantity: int


class Delivery(NamedTuple):
    """A delivery as a customer wants it."""

    district: str
    """The district's name or id, as the customer wrote it."""
    address: str


def destination_of(coverage: Coverage, delivery: Delivery) -> Destination:
    """Return the destination of a delivery; raises NotServed if no courier serves its district."""
    district = coverage.find(delivery.district)
    if district is None or not coverage.is_served(district.district_id):
        raise NotServed(coverage.served())
    return Destination(district.district_id, district.name, delivery.address)


def price(menu: Menu, items: Sequence[Item]) -> tuple[Line, ...]:
    """Return the lines with the menu's names and prices; raises one NotOnMenu for all errors."""
    lines: list[Line] = []
    errors: list[dict[str, str]] = []
    for place, item in enumerate(items):
        sold = sell(menu, item)
        if isinstance(sold, Line):
            lines.append(sold)
        else:
            errors.append({"item": f"items[{place}]", "message": sold})
    if not errors and sum(line.total_cents for line in lines) > MOST_INTEGER:
        errors.append({"item": "items", "message": "the total is too large"})
    if errors:
        raise NotOnMenu(errors)
    return tuple(lines)


def sell(menu: Menu, item: Item) -> Line | str:
    """Return an item's line, or why it cannot be sold, as a sentence."""
    product = menu.by_id.get(item.product_id)
    if product is None:
        return "there is no such product on the menu"
    if product.sold_out:
        return f"{product.name} is sold out"
    if item.variation_id is None:
        return _line(item, product, None)
    for variation in product.variations:
        if variation.variation_id == item.variation_id:
            return _line(item, product, variation)
    return f"{product.name} has no such variation"


def _line(item: Item, product: Product, variation: Variation | None) -> Line:
    change = 0 if variation is None else variation.price_change_cents
    return Line(
        product.product_id,
        item.variation_id,
        product.name,
        None if variation is None else variation.name,
        item.quantity,
        product.base_price_cents + change,
    )


def fingerprint(
    items: Sequence[Item], metadata: Any, total_cents: int | None, fulfilment: Any
) -> str:
    """Return a text that is the same for the same request, and for no other."""
    asked = json.dumps([items, metadata, total_cents, fulfilment], sort_keys=True)
    return blake2b(asked.encode(), digest_size=16).hexdigest()


def new_payment(  # noqa: PLR0917 - independent parts
    payment_id: str,
    order_id: str,
    basket: Basket,
    destination: Destination | None,
    address: str,
    key: str | None,
) -> Payment:
    """Return the payment of a basket, before its first change."""
    wanted: dict[str, Any] = {
        "address": address,
        "lines": basket.lines,
        "metadata": basket.metadata,
    }
    if destination is not None:
        wanted["destination"] = destination
    return Payment(
        payment_id,
        order_id,
        basket.account_id,
        basket.total_cents,
        0.0,
        key=key,
        fingerprint=basket.fingerprint,
        wanted=json.dumps(wanted),
    )


def order_of(payment: Payment) -> PlaceOrder:
    """Return the message that places the order of a payment, once however often it is sent.

    It has the payment's key: the Dispatcher places one order for a key, charged or not.
    """
    wanted = json.loads(payment.wanted or "{}")
    basket = Basket(
        payment.account_id,
        tuple(Line(*line) for line in wanted["lines"]),
        payment.total_cents,
        payment.fingerprint or "",
        wanted["metadata"],
        prepaid=True,
    )
    destination = Destination(*wanted["destination"]) if "destination" in wanted else None
    return basket_order(
        payment.order_id,
        basket,
        destination,
        address=wanted["address"],
        max_waiting=UNLIMITED,
        key=payment.key,
    )
