"""The invariants of delivery, as queries that return the subjects that violate them.

Rule: each invariant is one sentence and one query, independent of the others. The changes of orders
are read from the log: no department reads the tables of another.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Executable, and_, case, exists, func, literal, or_, select, union_all

from cafe.delivery.tables import couriers, deliveries, districts, followed, served
from cafe.ledger.invariants import followed_beyond, not_as_its_events_say, pruned_through
from cafe.ledger.tables import events

_event = events.c
_one = deliveries.c
_WHAT = (_one.order_id.label("subject"), _one.number, _one.status)
_CARRIED = ("assigned", "picked_up")
_followed_through = func.coalesce(select(followed.c.position).scalar_subquery(), 0)


def _strays() -> Executable:
    has_row = or_(
        exists().where(_one.order_id == _event.subject),
        exists().where(couriers.c.courier_id == _event.subject),
        exists().where(districts.c.district_id == _event.subject),
    )
    ours = _event.department == "delivery"
    return select(_event.subject, _event.position).where(ours, ~has_row)


def _two_in_hand() -> Executable:
    return (
        select(_one.courier_id.label("subject"), func.count().label("deliveries"))
        .where(_one.status.in_(_CARRIED))
        .group_by(_one.courier_id)
        .having(func.count() > 1)
    )


def _is_free() -> Any:
    """Return the condition that a courier is on duty with nothing in hand."""
    carries = exists().where(_one.courier_id == couriers.c.courier_id, _one.status.in_(_CARRIED))
    return and_(couriers.c.duty == "on_duty", ~carries.correlate(couriers))


def _waiting_beside_a_free_courier() -> Executable:
    free = (
        select(served.c.district_id)
        .join(couriers, couriers.c.courier_id == served.c.courier_id)
        .where(_is_free())
    )
    return select(*_WHAT).where(_one.status == "waiting", _one.district_id.in_(free))


def _wrong_figures() -> Executable:
    delivered = select(_one.courier_id, func.count().label("number")).group_by(_one.courier_id)
    counted = delivered.where(_one.status == "delivered").subquery()
    kept = func.coalesce(counted.c.number, 0)
    completed = couriers.c.completed
    wrong = or_(
        completed < kept,
        and_(completed > kept, pruned_through == 0),
        couriers.c.days > completed,
        (couriers.c.days > 0) != (completed > 0),
        (couriers.c.last_day.is_not(None)) != (completed > 0),
        couriers.c.seconds < 0,
    )
    subject = couriers.c.courier_id.label("subject")
    return (
        select(subject, completed, kept.label("kept"), couriers.c.days)
        .outerjoin(counted, counted.c.courier_id == couriers.c.courier_id)
        .where(wrong)
    )


def _same_turn() -> Executable:
    return (
        select(func.min(couriers.c.courier_id).label("subject"), couriers.c.free_since)
        .where(couriers.c.duty == "on_duty", couriers.c.free_since > 0)
        .group_by(couriers.c.free_since)
        .having(func.count() > 1)
    )


def _turn_before_its_beginning() -> Executable:
    """Return the query; a courier that comes on duty, or has finished, goes to the end of the line.

    Times from before the clock was set right, which is an event, are not compared with later ones.
    """
    set_right = select(func.max(_event.position)).where(_event.department == "ledger")
    lately = _event.position > func.coalesce(set_right.scalar_subquery(), 0)
    ours = (_event.department == "delivery", lately)
    came = select(_event.subject, _event.at).where(*ours, _event.action == "come on duty")
    brought = (
        select(_one.courier_id, _event.at)
        .join(events, _event.subject == _one.order_id)
        .where(*ours, _event.action == "finish")
    )
    begun = union_all(came, brought).subquery()
    courier_id, last = couriers.c.courier_id, func.max(begun.c.at)
    return (
        select(courier_id.label("subject"), couriers.c.free_since, last.label("begun_at"))
        .join(begun, begun.c.subject == courier_id)
        .where(_is_free())
        .group_by(courier_id, couriers.c.free_since)
        .having(couriers.c.free_since < last)
    )


def _of_order(*what: Any) -> Any:
    """Return the condition that the log has such an event of the delivery's order."""
    return exists().where(_event.department == "orders", _event.subject == _one.order_id, *what)


def _unknown_to_their_orders() -> Executable:
    unknown = or_(
        and_(_one.status == "delivered", ~_of_order(_event.after == "delivered")),
        and_(_one.status == "cancelled", ~_of_order(_event.after == "cancelled")),
        ~_of_order(_event.after == "ready"),
    )
    return select(*_WHAT).where(_one.settled.is_(True), unknown, pruned_through == 0)


def _known_and_unsettled() -> Executable:
    known_by = case(
        (_one.status == "delivered", "delivered"),
        (_one.status == "cancelled", "cancelled"),
        else_="ready",
    )
    is_followed = _event.position <= _followed_through
    known = _of_order(_event.after == known_by, is_followed)
    return select(*_WHAT).where(_one.settled.is_(False), known)


def _ended_otherwise() -> Executable:
    otherwise = or_(
        and_(_one.status != "delivered", _of_order(_event.after == "delivered")),
        and_(_one.status != "cancelled", _of_order(_event.after == "cancelled")),
    )
    return select(*_WHAT).where(otherwise)


def _ready_without_delivery() -> Executable:
    return select(_event.subject, _event.position).where(
        _event.department == "orders",
        _event.after == "ready",
        _event.data.like('%"destination"%'),
        _event.position <= _followed_through,
        _event.position > pruned_through,
        ~exists().where(_one.order_id == _event.subject),
    )


def _wrong_fields() -> Executable:
    is_carried, is_assigned = _one.status.in_(_CARRIED), _one.status == "assigned"
    has_ended = _one.status.in_(("delivered", "cancelled"))
    wrong = or_(
        and_(or_(is_carried, _one.status == "delivered"), _one.courier_id.is_(None)),
        and_(_one.status == "waiting", _one.courier_id.is_not(None)),
        is_assigned != _one.lease_expires_at.is_not(None),
        and_(_one.status == "picked_up", _one.picked_up_at.is_(None)),
        has_ended != _one.ended_at.is_not(None),
        and_(_one.status == "failed", _one.attempts == 0),
    )
    return select(*_WHAT, _one.courier_id, _one.lease_expires_at, _one.ended_at).where(wrong)


_status_of_district = case((districts.c.retired, "retired"), else_="open")

CHECKS: dict[str, Executable] = {
    "every event of delivery has its row": _strays(),
    "every delivery stands where its last event left it": not_as_its_events_say(
        "delivery", deliveries, _one.order_id, _one.status
    ),
    "every courier stands where their last event left them": not_as_its_events_say(
        "delivery", couriers, couriers.c.courier_id, couriers.c.duty
    ),
    "every district stands where its last event left it": not_as_its_events_say(
        "delivery", districts, districts.c.district_id, _status_of_district
    ),
    "no courier has two deliveries in hand": _two_in_hand(),
    "no delivery waits where a courier is free": _waiting_beside_a_free_courier(),
    "no two couriers on duty have the same turn": _same_turn(),
    "no free courier's turn begins before they came on duty, or brought an order": (
        _turn_before_its_beginning()
    ),
    "every courier's figures count the deliveries that they completed": _wrong_figures(),
    "what is settled of a delivery its order knows": _unknown_to_their_orders(),
    "what its order knows of a delivery is settled": _known_and_unsettled(),
    "deliveries follow the log as far as it goes": followed_beyond(
        followed.c.position, literal("the log")
    ),
    "no order ends but as its delivery does": _ended_otherwise(),
    "every order that is ready for a courier has its delivery": _ready_without_delivery(),
    "every delivery has what its status asks for, and nothing else": _wrong_fields(),
}
