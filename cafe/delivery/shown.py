"""The JSON of deliveries, couriers and districts: the members of the answers in `schemas.py`.

Rule: an address is shown to staff, and to the courier who has the delivery in hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cafe.delivery.courier import Courier, Duty
from cafe.delivery.coverage import District
from cafe.delivery.delivery import CARRIED, Delivery
from cafe.delivery.messages import Handed
from cafe.http.reply import utc_time


def district_out(district: District) -> dict[str, Any]:
    """Return the members of `DistrictOut`."""
    return {
        "district_id": district.district_id,
        "name": district.name,
        "retired": district.retired,
    }


def delivery_out(delivery: Delivery) -> dict[str, Any]:
    """Return the members of `DeliveryOut`."""
    return {
        "order_id": delivery.order_id,
        "courier_id": delivery.courier_id,
        "status": delivery.status.value,
        "number": delivery.number,
        "name": delivery.name,
        "district_id": delivery.district_id,
        "district": delivery.district,
        "address": delivery.address,
        "attempts": delivery.attempts,
        "reason": delivery.reason,
        "requested_at": utc_time(delivery.requested_at),
        "assigned_at": utc_time(delivery.assigned_at),
        "lease_expires_at": utc_time(delivery.lease_expires_at),
        "picked_up_at": utc_time(delivery.picked_up_at),
        "ended_at": utc_time(delivery.ended_at),
    }


def own_delivery_out(delivery: Delivery) -> dict[str, Any]:
    """Return the same for its courier, without the address unless it is in hand."""
    shown = delivery if delivery.status in CARRIED else delivery._replace(address=None)
    return delivery_out(shown)


def next_out(delivery: Delivery | None) -> dict[str, Any] | None:
    """Return the JSON of the delivery that a courier has in hand, if any."""
    return None if delivery is None else delivery_out(delivery)


def handed_out(
    handed: Handed, shown: Callable[[Delivery], dict[str, Any]] = delivery_out
) -> dict[str, Any]:
    """Return the members of `HandedOut`; `shown` makes those of the delivery itself."""
    return {**shown(handed.delivery), "next": next_out(handed.next)}


def courier_out(courier: Courier, carries: Delivery | None) -> dict[str, Any]:
    """Return the members of `CourierOut`."""
    return {
        "courier_id": courier.courier_id,
        "name": courier.name,
        "districts": list(courier.districts),
        "account": courier.account_id,
        "on_duty": courier.is_on_duty,
        "retired": courier.duty is Duty.RETIRED,
        "active_order": None if carries is None else carries.order_id,
        "completed": courier.completed,
        "avg_order_complete_time": courier.avg_order_complete_time,
        "avg_day_orders": courier.avg_day_orders,
    }


def changed_courier_out(courier: Courier, carries: Delivery | None) -> dict[str, Any]:
    """Return the members of `ChangedCourierOut`."""
    return {**courier_out(courier, carries), "next": next_out(carries)}
