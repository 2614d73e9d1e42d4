"""What an event of an order means for its delivery.

Rule: pure; it reads the JSON that orders give with each event of an order that is delivered.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from cafe.delivery.delivery import KNOWN_BY, READY, Delivery

MARK: Final = '"destination"'
"""In the data of an order that is delivered."""
CONCERNED: Final = frozenset({READY, *KNOWN_BY.values()})


class OrderEvent(NamedTuple):
    """An order that is delivered has become ready, delivered or cancelled."""

    order_id: str
    status: str
    number: int
    wanted: Delivery | None
    """The delivery of a customer's basket that is ready: it begins with this event."""


def concerns_delivery(before: str | None, after: str, data: str | None) -> bool:
    """Return whether an event of an order is one of these; most events are none."""
    return data is not None and MARK in data and after in CONCERNED and before != after


def order_event(order_id: str, status: str, data: str) -> OrderEvent:
    """Return what an event says that concerns a delivery."""
    shown: dict[str, Any] = json.loads(data)
    wanted: Delivery | None = None
    if status == READY and "account_id" in shown:
        to = shown["destination"]
        wanted = Delivery(
            order_id,
            0,
            to["district_id"],
            to["district"],
            to["address"],
            None,
            0.0,
            number=shown["number"],
            account_id=shown["account_id"],
        )
    return OrderEvent(order_id, status, shown["number"], wanted)
