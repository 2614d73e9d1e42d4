"""The invariants of the tables of orders, as queries that return the orders that violate them.

Rule: each invariant is one sentence and one query, independent of the others. What holds for the
events of every department is checked by the ledger.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Executable, and_, case, func, or_, select, union_all

from cafe.ledger.log import MOST_AHEAD, was_set_right_behind
from cafe.ledger.tables import events
from cafe.orders.order import ACCOUNT, LIVE, NO_ADDRESS
from cafe.orders.pause import SHOP
from cafe.orders.pause_table import pauses
from cafe.orders.tables import destinations, keys, lines, orders

_event = events.c
_order = orders.c
_key = keys.c
_line = lines.c
_destination = destinations.c
_scope = case((_order.account_id.is_(None), _order.address), else_=ACCOUNT + _order.account_id)
_ours = _event.department == "orders"
_joined = events.join(orders, and_(_event.subject == _order.order_id, _ours))
_WHO = (_order.order_id.label("subject"), _order.number)


def _differ(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[bool]:
    return one.is_distinct_from(other)


def _before(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that `one` is before `other`, but by less than MOST_AHEAD."""
    return and_(one < other, one > other - MOST_AHEAD)


def _strays() -> Executable:
    has_order = select(_order.order_id).where(_order.order_id == _event.subject).exists()
    return select(_event.subject, _event.position).where(_ours, _event.subject != SHOP, ~has_order)


def _without_events() -> Executable:
    has_events = select(_event.subject).where(_event.subject == _order.order_id, _ours).exists()
    return select(*_WHO).where(~has_events)


def _wrong_statuses() -> Executable:
    last = select(func.max(_event.position)).where(_ours).group_by(_event.subject)
    return (
        select(*_WHO, _order.status, _event.after.label("last event"))
        .select_from(_joined)
        .where(_event.position.in_(last), _event.after != _order.status)
    )


def _numbers_going_back() -> Executable:
    # By the events, not by the clock, which may have been set.
    before = func.lag(_order.number).over(order_by=_event.position)
    placed = (
        select(*_WHO, before.label("after"))
        .select_from(_joined)
        .where(_event.action.in_(("place", "publish")))
        .subquery()
    )
    return select(placed).where(placed.c.number <= placed.c.after)


def _brewed_twice() -> Executable:
    begun, done, back = ("start",), ("finish", "finish late"), ("release", "expire")
    before = func.lag(_event.action).over(partition_by=_event.subject, order_by=_event.position)
    brewing = (
        select(_event.subject, _event.position, _event.action, before.label("after"))
        .where(_ours, _event.action.in_(begun + done + back))
        .subquery()
    )
    again = and_(brewing.c.action.in_(begun), brewing.c.after.in_(begun + done))
    twice = and_(brewing.c.action.in_(done), brewing.c.after.in_(done))
    return select(brewing).where(or_(again, twice))


def _wrong_keys() -> Executable:
    placed = (_key.address, _key.key, _key.placed_at)
    ordered = (_scope, _order.key, _order.placed_at)
    differ = or_(*(_differ(one, other) for one, other in zip(placed, ordered, strict=True)))
    return (
        select(_key.order_id.label("subject"), _order.number, _key.address, _key.key, _order.status)
        .outerjoin_from(keys, orders, _key.order_id == _order.order_id)
        .where(or_(differ, and_(_order.status == "cancelled", _order.account_id.is_(None))))
    )


def _lost_keys() -> Executable:
    found = select(_key.order_id).where(_key.order_id == _order.order_id).exists()
    live = _order.status.in_(LIVE)
    return select(*_WHO, _order.address, _order.key).where(live, _order.key.is_not(None), ~found)


def _shared_keys() -> Executable:
    other = orders.alias()
    both = (
        ~_differ(other.c.account_id, _order.account_id),
        or_(_order.account_id.is_not(None), other.c.address == _order.address),
    )
    same = and_(other.c.key == _order.key, *both)
    live = and_(_order.status.in_(LIVE), other.c.status.in_(LIVE))
    return (
        select(*_WHO, _order.address, _order.key, other.c.number.label("as order"))
        .join_from(orders, other, and_(same, _order.number > other.c.number))
        .where(live)
    )


def _seen() -> Any:
    """Aggregate the events of each order."""
    starts = case((_event.action == "start", _event.position))
    last_start = func.max(starts).over(partition_by=_event.subject)
    numbered = select(*_event, last_start.label("last_start")).where(_ours).subquery()
    seen = numbered.c
    # An order that is called off has ended before.
    ends = and_(seen.after.in_(("ready", "cancelled")), seen.action != "call off")
    return (
        select(
            seen.subject,
            func.min(seen.position).label("first"),
            func.min(case((seen.before.is_(None), seen.at))).label("placed"),
            func.sum(case((seen.action == "publish", 1), else_=0)).label("published"),
            func.max(case((seen.position == seen.last_start, seen.at))).label("started"),
            func.min(case((ends, seen.at))).label("ended"),
            func.sum(case((seen.action == "expire", 1), else_=0)).label("expired"),
            func.sum(case((seen.action == "abandon", 1), else_=0)).label("abandoned"),
        )
        .group_by(seen.subject)
        .subquery()
    )


def _wrong_times() -> Executable:
    seen = _seen()
    mixed = (
        _before(_order.started_at, _order.placed_at),
        _before(_order.ended_at, func.coalesce(_order.started_at, _order.placed_at)),
        _order.lease_expires_at == _order.started_at,
        _before(_order.lease_expires_at, _order.started_at),
    )
    wrong = (
        _differ(_order.placed_at, seen.c.placed),
        _differ(_order.started_at, seen.c.started),
        _differ(_order.ended_at, seen.c.ended),
        and_(or_(*mixed), ~was_set_right_behind(seen.c.first)),
    )
    times = (_order.placed_at, _order.started_at, _order.lease_expires_at, _order.ended_at)
    return (
        select(*_WHO, *times)
        .join_from(orders, seen, seen.c.subject == _order.order_id)
        .where(or_(*wrong))
    )


def _wrong_fields() -> Executable:
    seen = _seen()
    held = or_(
        _order.barista.is_not(None),
        _order.lease_expires_at.is_not(None),
        _order.claim.is_not(None),
    )
    ended, started = _order.ended_at.is_not(None), _order.started_at.is_not(None)
    wrong = (
        and_(_order.status.in_(("waiting", "cancelled")), held),
        and_(_order.status == "preparation", _order.lease_expires_at.is_(None)),
        and_(_order.status.not_in(("waiting", "cancelled")), ~started, seen.c.published == 0),
        and_(_order.status.in_(LIVE), ended),
        and_(_order.status.not_in(LIVE), ~ended),
        and_(_order.bound, or_(_order.key.is_not(None), _order.account_id.is_not(None))),
        and_(_order.lapsed, seen.c.expired == 0),
        and_(~_order.lapsed, seen.c.expired > 0),
        and_(_order.abandoned, seen.c.abandoned == 0),
    )
    fields = ("status", "barista", "claim", "bound", "abandoned", "lapsed")
    times = ("started_at", "lease_expires_at", "ended_at")
    return (
        select(*_WHO, *(_order[name] for name in fields + times))
        .join_from(orders, seen, seen.c.subject == _order.order_id)
        .where(or_(*wrong))
    )


def _stray_lines() -> Executable:
    return (
        select(_line.order_id.label("subject"), _line.line, _order.number)
        .outerjoin_from(lines, orders, _line.order_id == _order.order_id)
        .where(_order.account_id.is_(None))
    )


def _wrong_totals() -> Executable:
    sold = (
        select(
            _line.order_id,
            func.sum(_line.quantity * _line.unit_price_cents).label("cents"),
            func.count().label("lines"),
            func.max(_line.line).label("last"),
        )
        .group_by(_line.order_id)
        .subquery()
    )
    wrong = or_(_differ(sold.c.cents, _order.total_cents), sold.c.lines != sold.c.last)
    return (
        select(*_WHO, _order.total_cents, sold.c.cents.label("of its lines"))
        .outerjoin_from(orders, sold, sold.c.order_id == _order.order_id)
        .where(_order.account_id.is_not(None), wrong)
    )


def _strange_destinations() -> Executable:
    """Select destinations without an order, or of an order that the counter hands over."""
    published = and_(_event.action == "publish", _event.subject == _destination.order_id, _ours)
    return (
        select(_destination.order_id.label("subject"), _order.number, _destination.district)
        .outerjoin_from(destinations, orders, _destination.order_id == _order.order_id)
        .where(
            _order.account_id.is_(None),
            or_(_order.number.is_(None), ~select(_event.position).where(published).exists()),
        )
    )


def _lost_destinations() -> Executable:
    """Select published orders without a destination, or with a basket or a customer."""
    has_one = select(_destination.order_id).where(_destination.order_id == _order.order_id).exists()
    of_customer = or_(_order.account_id.is_not(None), _order.address != NO_ADDRESS)
    return (
        select(*_WHO, _order.status)
        .select_from(_joined)
        .where(_event.action == "publish", or_(~has_one, of_customer))
    )


def _half_baskets() -> Executable:
    always = (_order.account_id, _order.total_cents, _order.fingerprint, _order.prepaid)
    has_some = or_(*(one.is_not(None) for one in (*always, _order.metadata)))
    return select(*_WHO, *always).where(has_some, or_(*(one.is_(None) for one in always)))


def _wrong_pauses() -> Executable:
    last = select(func.max(_event.position)).where(_ours, _event.subject == SHOP).scalar_subquery()
    said = select(*_event).where(_event.position == last).subquery()
    pause, is_paused = pauses.c, pauses.c.intake == "paused"
    wrong = or_(
        _differ(pause.intake, said.c.after),
        _differ(pause.since, said.c.at),
        _differ(is_paused, pause.until.is_not(None)),
        _differ(is_paused, pause.text.is_not(None)),
    )
    # Where there is only one of the two, the other's columns are NULL, and so they differ.
    of_rows = (
        select(pause.subject, pause.intake, said.c.after)
        .outerjoin_from(pauses, said, pause.subject == said.c.subject)
        .where(wrong)
    )
    of_events = (
        select(said.c.subject, pause.intake, said.c.after)
        .outerjoin_from(said, pauses, pause.subject == said.c.subject)
        .where(pause.subject.is_(None))
    )
    return union_all(of_rows, of_events)


CHECKS: dict[str, Executable] = {
    "every event of an order has its order": _strays(),
    "every order has its events": _without_events(),
    "every order stands where its last event left it": _wrong_statuses(),
    "ticket numbers never repeat or go back": _numbers_going_back(),
    "nothing is brewed twice, unless its lease ran out or it was given back": _brewed_twice(),
    "every key leads to the order placed with it, and no plain one is cancelled": _wrong_keys(),
    "every live order with a key is found by it": _lost_keys(),
    "no two live orders share a key": _shared_keys(),
    "the times of an order are in order, and those of its events": _wrong_times(),
    "every order has what its status asks for, and nothing else": _wrong_fields(),
    "every line belongs to the order of a basket": _stray_lines(),
    "the lines of every basket make its total": _wrong_totals(),
    "every destination belongs to a basket, or to what staff published": _strange_destinations(),
    "all that staff published has a destination, and is no customer's": _lost_destinations(),
    "what is said of a pause is what its last event says": _wrong_pauses(),
    "every basket has an account, a total and a fingerprint": _half_baskets(),
}
