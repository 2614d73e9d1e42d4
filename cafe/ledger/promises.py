"""What the tables promise, as queries: each gives the orders that break its promise.

Rule: a promise is one sentence and one query that stands by itself; none believes what another has
found to be so. The model of orders is passed in, as its table of transitions.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    and_,
    case,
    func,
    literal,
    not_,
    or_,
    select,
    union_all,
)

from cafe.ledger.schema import LIVE, idempotency_keys, order_events, orders

Steps = Collection[tuple[str | None, str, str]]
"""Each a status (None: not placed yet), an action and the next status."""


def promises(steps: Steps) -> dict[str, Executable]:
    """Give each promise with the query for what breaks it."""
    return {
        "every order has its events, and every event its order": _strays(),
        "every event is a step that the order model allows": _forbidden_steps(steps),
        "every event goes on from where the one before it ended": _broken_lives(),
        "every order stands where its last event left it": _wrong_statuses(),
        "events are numbered 1, 2, 3 and so on": _sequence_gaps(),
        "no event is earlier than the one before it": _times_going_back(),
        "ticket numbers never repeat or go back": _numbers_going_back(),
        "nothing is brewed twice, unless its lease ran out or it was given back": _brewed_twice(),
        "every key leads to the order placed with it, which is not cancelled": _wrong_keys(),
        "every live order with a key is found by it": _lost_keys(),
        "no two live orders share a key": _shared_keys(),
        "the times of an order are in order, and those of its events": _wrong_times(),
        "every order has what its status asks for, and nothing else": _wrong_fields(),
    }


_event = order_events.c
_order = orders.c
_key = idempotency_keys.c
_joined = order_events.join(orders, _event.order_id == _order.order_id)
_WHO = (_order.order_id, _order.number)


def _differ(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[bool]:
    return one.is_distinct_from(other)


def _strays() -> Executable:
    has_events = select(_event.order_id).where(_event.order_id == _order.order_id).exists()
    has_order = select(_order.order_id).where(_order.order_id == _event.order_id).exists()
    found = union_all(
        select(_order.order_id, _order.number, literal(0).label("events")).where(~has_events),
        select(_event.order_id, literal(None), func.count()).where(~has_order).group_by("order_id"),
    ).subquery()
    return select(found)


def _forbidden_steps(steps: Steps) -> Executable:
    # NULL equals nothing, and so would be no step that is forbidden.
    before = func.coalesce(_event.before, "")
    allowed = or_(
        *(
            # By str(), for drivers know words, and not what else a str may be.
            and_(
                before == str(status or ""),
                _event.action == str(action),
                _event.after == str(after),
            )
            for status, action, after in steps
        )
    )
    columns = (_event.sequence, _event.before, _event.action, _event.after)
    return select(*_WHO, *columns).select_from(_joined).where(not_(allowed))


def _broken_lives() -> Executable:
    ended = func.lag(_event.after).over(partition_by=_event.order_id, order_by=_event.sequence)
    lives = select(order_events, ended.label("ended")).subquery()
    return (
        select(*_WHO, lives.c.sequence, lives.c.before, lives.c.ended.label("and the one before"))
        .join_from(lives, orders, lives.c.order_id == _order.order_id)
        .where(_differ(lives.c.before, lives.c.ended))
    )


def _wrong_statuses() -> Executable:
    last = select(func.max(_event.sequence)).group_by(_event.order_id)
    return (
        select(*_WHO, _order.status, _event.after.label("last event"))
        .select_from(_joined)
        .where(_event.sequence.in_(last), _event.after != _order.status)
    )


def _sequence_gaps() -> Executable:
    before = func.coalesce(func.lag(_event.sequence).over(order_by=_event.sequence), 0)
    events = select(_event.order_id, _event.sequence, before.label("after")).subquery()
    return select(events).where(events.c.sequence != events.c.after + 1)


def _times_going_back() -> Executable:
    before = func.lag(_event.at).over(order_by=_event.sequence)
    columns = (_event.order_id, _event.sequence, _event.at, before.label("at_before"))
    events = select(*columns).subquery()
    return select(events).where(events.c.at < events.c.at_before)


def _numbers_going_back() -> Executable:
    # By the events, not by the clock, which somebody may have set.
    before = func.lag(_order.number).over(order_by=_event.sequence)
    placed = (
        select(*_WHO, before.label("after"))
        .select_from(_joined)
        .where(_event.action == "place")
        .subquery()
    )
    return select(placed).where(placed.c.number <= placed.c.after)


def _brewed_twice() -> Executable:
    begun, done, back = ("start",), ("finish", "finish late"), ("release", "expire")
    before = func.lag(_event.action).over(partition_by=_event.order_id, order_by=_event.sequence)
    brewing = (
        select(_event.order_id, _event.sequence, _event.action, before.label("after"))
        .where(_event.action.in_(begun + done + back))
        .subquery()
    )
    again = and_(brewing.c.action.in_(begun), brewing.c.after.in_(begun + done))
    twice = and_(brewing.c.action.in_(done), brewing.c.after.in_(done))
    return select(brewing).where(or_(again, twice))


def _wrong_keys() -> Executable:
    placed = (_key.address, _key.key, _key.placed_at)
    ordered = (_order.address, _order.key, _order.placed_at)
    differ = or_(*(_differ(one, other) for one, other in zip(placed, ordered, strict=True)))
    return (
        select(_key.order_id, _order.number, _key.address, _key.key, _order.status)
        .outerjoin_from(idempotency_keys, orders, _key.order_id == _order.order_id)
        .where(or_(differ, _order.status == "cancelled"))
    )


def _lost_keys() -> Executable:
    found = select(_key.order_id).where(_key.order_id == _order.order_id).exists()
    live = _order.status.in_(LIVE)
    return select(*_WHO, _order.address, _order.key).where(live, _order.key.is_not(None), ~found)


def _shared_keys() -> Executable:
    other = orders.alias()
    same = and_(other.c.address == _order.address, other.c.key == _order.key)
    live = and_(_order.status.in_(LIVE), other.c.status.in_(LIVE))
    return (
        select(*_WHO, _order.address, _order.key, other.c.number.label("as order"))
        .join_from(orders, other, and_(same, _order.number > other.c.number))
        .where(live)
    )


def _seen() -> Any:
    """Sum up what the events tell of each order."""

    def at(told: ColumnElement[bool]) -> ColumnElement[Any]:
        return case((told, _event.at))

    expired = case((_event.action == "expire", 1), else_=0)
    abandoned = case((_event.action == "abandon", 1), else_=0)
    return (
        select(
            _event.order_id,
            func.min(at(_event.action == "place")).label("placed"),
            func.max(at(_event.action == "start")).label("started"),
            func.min(at(_event.after.in_(("ready", "cancelled")))).label("ended"),
            func.sum(expired).label("expired"),
            func.sum(abandoned).label("abandoned"),
        )
        .group_by(_event.order_id)
        .subquery()
    )


def _wrong_times() -> Executable:
    seen = _seen()
    wrong = (
        _differ(_order.placed_at, seen.c.placed),
        _differ(_order.started_at, seen.c.started),
        _differ(_order.ended_at, seen.c.ended),
        _order.started_at < _order.placed_at,
        _order.ended_at < func.coalesce(_order.started_at, _order.placed_at),
        _order.lease_expires_at <= _order.started_at,
    )
    times = (_order.placed_at, _order.started_at, _order.lease_expires_at, _order.ended_at)
    return (
        select(*_WHO, *times)
        .join_from(orders, seen, seen.c.order_id == _order.order_id)
        .where(or_(*wrong))
    )


def _wrong_fields() -> Executable:
    seen = _seen()
    held = or_(_order.barista.is_not(None), _order.lease_expires_at.is_not(None))
    ended, started = _order.ended_at.is_not(None), _order.started_at.is_not(None)
    wrong = (
        and_(_order.status.in_(("waiting", "cancelled")), held),
        and_(_order.status == "preparation", _order.lease_expires_at.is_(None)),
        and_(_order.status.not_in(("waiting", "cancelled")), ~started),
        and_(_order.status.in_(LIVE), ended),
        and_(_order.status.not_in(LIVE), ~ended),
        and_(_order.bound, _order.key.is_not(None)),
        and_(_order.lapsed, seen.c.expired == 0),
        and_(~_order.lapsed, seen.c.expired > 0),
        and_(_order.abandoned, seen.c.abandoned == 0),
    )
    fields = ("status", "barista", "bound", "abandoned", "lapsed")
    times = ("started_at", "lease_expires_at", "ended_at")
    return (
        select(*_WHO, *(_order[name] for name in fields + times))
        .join_from(orders, seen, seen.c.order_id == _order.order_id)
        .where(or_(*wrong))
    )
