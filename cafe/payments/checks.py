"""The invariants of payments, as queries that return the payments that violate them.

Rule: each invariant is one sentence and one query, independent of the others. The changes of orders
are read from the log: no department reads the tables of another.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Executable, and_, func, literal, or_, select

from cafe.ledger.invariants import followed_beyond, not_as_its_events_say, pruned_through
from cafe.ledger.tables import events
from cafe.payments.tables import followed, payments

_event = events.c
_payment = payments.c
_WHAT = (_payment.payment_id.label("subject"), _payment.order_id, _payment.status)
_WITHOUT_ORDER = ("intent", "asked", "refused")


def _was(*what: ColumnElement[bool]) -> Any:
    """Return the condition that the log has such an event of the payment's order."""
    of_order = and_(_event.department == "orders", _event.subject == _payment.order_id)
    return select(_event.position).where(of_order, *what).exists()


_followed_through = func.coalesce(select(followed.c.position).scalar_subquery(), 0)
_placed = _was(_event.action == "place")
_cancelled = _was(_event.after == "cancelled")
_cancelled_before = _was(_event.after == "cancelled", _event.position <= _followed_through)


def _strays() -> Executable:
    has_payment = select(_payment.payment_id).where(_payment.payment_id == _event.subject).exists()
    ours = _event.department == "payments"
    return select(_event.subject, _event.position).where(ours, ~has_payment)


def _without_order() -> Executable:
    was_placed = _payment.number.is_not(None)
    return select(*_WHAT).where(was_placed, ~_placed, pruned_through == 0)


def _order_without_payment() -> Executable:
    has_payment = select(_payment.payment_id).where(_payment.order_id == _event.subject).exists()
    return select(_event.subject, _event.position).where(
        _event.department == "orders",
        _event.action == "place",
        _event.data.is_not(None),
        _event.position <= _followed_through,
        _event.position > pruned_through,
        ~has_payment,
    )


def _order_without_charge() -> Executable:
    return select(*_WHAT).where(_payment.status.in_(_WITHOUT_ORDER), _placed)


def _cancelled_and_kept() -> Executable:
    return select(*_WHAT).where(_payment.status == "placed", _cancelled_before)


def _given_back_and_brewed() -> Executable:
    is_given_back = _payment.status.in_(("refund_pending", "refunded"))
    return select(*_WHAT).where(is_given_back, _placed, ~_cancelled, pruned_through == 0)


def _wrong_fields() -> Executable:
    was_charged = _payment.charge_status.between(200, 299)
    was_given_back = func.coalesce(_payment.refund_status.between(200, 299), False)
    has_charge = _payment.status.in_(("paid", "placed", "refund_pending", "refunded"))
    is_without_charge = _payment.status.in_(("not_required", "at_counter"))
    wrong = (
        and_(has_charge, ~func.coalesce(was_charged, False)),
        and_(~has_charge, func.coalesce(was_charged, False)),
        and_(_payment.status == "refunded", ~was_given_back),
        and_(_payment.status != "refunded", was_given_back),
        and_(
            _payment.status.in_(("placed", "not_required", "at_counter")), _payment.number.is_(None)
        ),
        and_(is_without_charge, _payment.wanted.is_not(None)),
        and_(~is_without_charge, _payment.wanted.is_(None)),
        and_(_payment.status == "not_required", _payment.total_cents != 0),
        and_(_payment.status != "not_required", _payment.total_cents == 0),
        _payment.total_cents < 0,
    )
    fields = (_payment.number, _payment.charge_status, _payment.refund_status)
    return select(*_WHAT, *fields).where(or_(*wrong))


CHECKS: dict[str, Executable] = {
    "every event of a payment has its payment": _strays(),
    "every payment stands where its last event left it": not_as_its_events_say(
        "payments", payments, _payment.payment_id, _payment.status, _payment.order_id
    ),
    "every payment that was placed has its order": _without_order(),
    "every order of a basket has its payment": _order_without_payment(),
    "no order was placed before it was charged": _order_without_charge(),
    "what was charged for a cancelled order is given back": _cancelled_and_kept(),
    "what was given back has no order, or one that was cancelled": _given_back_and_brewed(),
    "payments follow the log as far as it goes": followed_beyond(
        followed.c.position, literal("the log")
    ),
    "every payment has what its status asks for, and nothing else": _wrong_fields(),
}
