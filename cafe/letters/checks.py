"""The invariants of letters, as queries that return the rows that violate them.

Rule: each invariant is one sentence and one query, independent of the others. The ledger checks
what holds for the events of every department.
"""

from __future__ import annotations

from sqlalchemy import Executable, case, exists, func, literal, not_, or_, select

from cafe.ledger.invariants import followed_beyond, not_as_its_events_say, pruned_through
from cafe.ledger.tables import events
from cafe.letters.letter import OPEN, State
from cafe.letters.tables import attempts, contents, followed, letters

_one = letters.c
_WHO = (_one.letter_id.label("subject"), _one.state)
_OPEN = [state.value for state in OPEN]
_followed_through = func.coalesce(select(followed.c.position).scalar_subquery(), 0)


def _of_another_event() -> Executable:
    # The booking's event may be deleted by now.
    both = letters.join(events, events.c.position == _one.position)
    kind = case((events.c.after == "requested", "received"), else_=events.c.after)
    other = or_(
        events.c.department != "bookings",
        events.c.subject != _one.booking_id,
        kind != _one.kind,
    )
    return select(*_WHO, _one.kind, events.c.after).select_from(both).where(other)


def _skipped() -> Executable:
    # A guest with one letter gets all later ones: the address of a booking never changes.
    first = select(_one.booking_id, func.min(_one.position).label("position"))
    begun = first.group_by(_one.booking_id).subquery()
    return (
        select(events.c.subject, events.c.after, events.c.position)
        .join(begun, begun.c.booking_id == events.c.subject)
        .where(
            events.c.department == "bookings",
            events.c.before.is_distinct_from(events.c.after),
            events.c.position > begun.c.position,
            events.c.position > pruned_through,
            events.c.position <= _followed_through,
            ~exists().where(_one.position == events.c.position),
        )
    )


def _not_followed() -> Executable:
    return select(*_WHO, _one.position).where(_one.position > _followed_through)


def _same_message_id() -> Executable:
    return (
        select(func.min(_one.letter_id).label("subject"), _one.message_id)
        .group_by(_one.message_id)
        .having(func.count() > 1)
    )


def _more_than_one_open() -> Executable:
    number = func.count()
    return (
        select(func.min(_one.letter_id).label("subject"), number.label("open"))
        .where(_one.state.in_(_OPEN))
        .group_by(_one.mailbox)
        .having(number > 1)
    )


def _held_for_nothing() -> Executable:
    other = letters.alias()
    is_open = select(other.c.letter_id).where(
        other.c.mailbox == _one.mailbox, other.c.state.in_(_OPEN)
    )
    return select(*_WHO).where(_one.state == State.HELD.value, not_(is_open.exists()))


def _wrongly_scheduled() -> Executable:
    is_open = _one.state.in_(_OPEN)
    is_over = _one.state.in_([State.SENT.value, State.SET_ASIDE.value])
    wrong = or_(
        is_open != _one.due_at.is_not(None),
        is_open != _one.until.is_not(None),
        is_over != _one.ended_at.is_not(None),
    )
    return select(*_WHO, _one.due_at, _one.until, _one.ended_at).where(wrong)


def _lost_attempts() -> Executable:
    kept = (
        select(func.count())
        .where(attempts.c.letter_id == _one.letter_id)
        .correlate(letters)
        .scalar_subquery()
    )
    return select(*_WHO, _one.attempts, kept.label("kept")).where(_one.attempts != kept)


def _without_content() -> Executable:
    both = letters.outerjoin(contents)
    return select(*_WHO).select_from(both).where(contents.c.letter_id.is_(None))


CHECKS: dict[str, Executable] = {
    "every letter stands where its last event left it": not_as_its_events_say(
        "letters", letters, _one.letter_id, _one.state
    ),
    "a letter tells of the booking's event that it was made for": _of_another_event(),
    "a guest who gets letters gets one for each event of the booking": _skipped(),
    "every letter tells of an event that was followed": _not_followed(),
    "no two letters have the same Message-ID": _same_message_id(),
    "letters follow the log as far as it goes": followed_beyond(
        followed.c.position, literal("the log")
    ),
    "one letter at a time is sent to a mailbox": _more_than_one_open(),
    "a letter is held as long as another one to its mailbox is open": _held_for_nothing(),
    "a letter has a time for its next attempt as long as there is one": _wrongly_scheduled(),
    "every attempt to send a letter is kept": _lost_attempts(),
    "every letter has a text": _without_content(),
}
