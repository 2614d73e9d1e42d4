"""What an event of an order does to its payment.

Rule: pure; time is passed in. An event is known by the words in the log.
"""

from __future__ import annotations

import json
from typing import Any

from cafe.payments.payment import (
    Action,
    Change,
    Payment,
    Status,
    at_counter,
    begun,
    moved,
    status_without_charge,
)


def change_by_event(
    order_id: str,
    payment: Payment | None,
    now: float,
    *,
    action: str,
    after: str,
    data: str | None,
) -> Change | None:
    """Return what becomes of the payment of an order, if there is one; None if nothing does."""
    if action == "place":
        shown: dict[str, Any] = json.loads(data or "{}")
        if payment is None:
            return _begun_without_charge(order_id, shown, now)
        if payment.status is Status.PAID:
            return moved(payment, Action.PLACE, now, number=shown["number"])
    elif after == "cancelled" and payment is not None and payment.status is Status.PLACED:
        return moved(payment, Action.GIVE_BACK, now, "its order was cancelled")
    return None


def _begun_without_charge(order_id: str, shown: dict[str, Any], now: float) -> Change:
    payment = at_counter(order_id, shown["account_id"], shown["total_cents"], shown["number"])
    is_due = status_without_charge(payment.total_cents) is Status.AT_COUNTER
    return begun(payment, Action.LEAVE if is_due else Action.WAIVE, now)
