"""What is kept with a payment to place its order later, and the message made of it.

Rule: the conversion loses nothing of what was sold: names and prices are those of the moment at
which it was priced.
"""

from __future__ import annotations

import json

from cafe.orders.messages import Basket, Line, PlaceOrder, basket_order
from cafe.payments.payment import Payment

UNLIMITED = 2**31
"""What is charged is placed, however many orders of its address wait."""


def new_payment(
    payment_id: str, order_id: str, basket: Basket, address: str, key: str | None
) -> Payment:
    """Return the payment of a basket, before its first change."""
    wanted = {"address": address, "lines": basket.lines, "metadata": basket.metadata}
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
    """Return the message that places the order of a payment, as often as it is sent once.

    It has no key: the key is the payment's, and leads to the order by that.
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
    return basket_order(payment.order_id, basket, address=wanted["address"], max_waiting=UNLIMITED)
