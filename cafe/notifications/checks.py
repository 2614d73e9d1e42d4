"""The invariants of notifications, as queries that return the rows that violate them.

Rule: each invariant is one sentence and one query, independent of the others. The ledger checks
what holds for the events of every department.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Executable, and_, func, or_, select

from cafe.ledger.invariants import followed_beyond, not_as_its_events_say
from cafe.notifications.tables import attempts, counts, followed, notifications

_one = notifications.c
_WHO = (_one.event_id.label("subject"), _one.topic, _one.subject_id)


def _neighbours() -> Any:
    """Return each notification with columns of the one before it of its subject."""
    whose = [_one.topic, _one.subject_id]
    window: dict[str, Any] = {"partition_by": whose, "order_by": _one.sequence}
    return select(
        *_WHO,
        _one.sequence,
        _one.position,
        _one.state,
        func.lag(_one.sequence).over(**window).label("sequence_before"),
        func.lag(_one.position).over(**window).label("position_before"),
        func.lag(_one.state).over(**window).label("state_before"),
    ).subquery()


def _out_of_sequence() -> Executable:
    each = _neighbours()
    gap = each.c.sequence != each.c.sequence_before + 1
    return select(each).where(or_(gap, each.c.position <= each.c.position_before))


def _overtaken() -> Executable:
    each = _neighbours()
    # The first of a subject may be pruned, but only after it was delivered.
    is_next = func.coalesce(each.c.state_before, "delivered") == "delivered"
    return select(each).where(
        or_(and_(is_next, each.c.state == "held"), and_(~is_next, each.c.state != "held"))
    )


def _wrongly_scheduled() -> Executable:
    scheduled = _one.state.in_(["due", "retrying"])
    wrong = or_(
        scheduled != _one.due_at.is_not(None),
        (_one.state == "delivered") != _one.delivered_at.is_not(None),
    )
    return select(*_WHO, _one.state, _one.due_at, _one.delivered_at).where(wrong)


def _lost_attempts() -> Executable:
    kept = (
        select(func.count())
        .where(attempts.c.event_id == _one.event_id)
        .correlate(notifications)
        .scalar_subquery()
    )
    return select(*_WHO, _one.attempts, kept.label("kept")).where(_one.attempts != kept)


def _not_followed() -> Executable:
    both = notifications.outerjoin(followed, followed.c.topic == _one.topic)
    beyond = _one.position > func.coalesce(followed.c.position, 0)
    return (
        select(*_WHO, _one.position, followed.c.position.label("followed"))
        .select_from(both)
        .where(beyond)
    )


def _wrong_counts() -> Executable:
    found = (
        select(_one.state, func.count().label("number"))
        .where(_one.state != "delivered")
        .group_by(_one.state)
        .subquery()
    )
    both = counts.outerjoin(found, found.c.state == counts.c.state, full=True)
    state = func.coalesce(counts.c.state, found.c.state)
    counted, there = func.coalesce(counts.c.number, 0), func.coalesce(found.c.number, 0)
    return (
        select(state.label("subject"), counts.c.number.label("counted"), there.label("there"))
        .select_from(both)
        .where(state != "delivered", counted != there)
    )


CHECKS: dict[str, Executable] = {
    "every notification stands where its last event left it": not_as_its_events_say(
        "notifications", notifications, _one.event_id, _one.state, _one.topic, _one.subject_id
    ),
    "the notifications of a subject are numbered as its events came": _out_of_sequence(),
    "every notification tells of an event that was followed": _not_followed(),
    "notifications follow the log as far as it goes": followed_beyond(
        followed.c.position, followed.c.topic
    ),
    "a notification is held as long as one before it is not delivered": _overtaken(),
    "a notification has a time for its next attempt as long as there is one": _wrongly_scheduled(),
    "every attempt to deliver a notification is kept": _lost_attempts(),
    "the counts of notifications are right": _wrong_counts(),
}
