"""The queries of notifications: for a turn, for the sending, and for managers.

Rule: queries only, each of a bounded number of rows, by an index; `notification.py` decides what a
row means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    and_,
    delete,
    func,
    select,
    tuple_,
    update,
)

from cafe.ledger.sending import Due
from cafe.notifications.notification import (
    PAUSES,
    Attempt,
    Notification,
    Outbox,
    State,
    Subject,
    Topic,
)
from cafe.notifications.tables import attempt_of, attempts, counts, followed, notification_of
from cafe.notifications.tables import notifications as table

LAST_ATTEMPTS = 10
"""The most attempts that are shown of each notification."""

Counts = Mapping[State, int]
_columns = table.c


@dataclass(frozen=True, slots=True)
class Kept:
    """The state from which a turn, or the Notifier, starts."""

    positions: Mapping[Topic, int]
    """By followed topic: the position up to which its events are applied."""
    counts: Counts
    outbox: Outbox


_followed = select(followed.c.topic, followed.c.position).where(followed.c.follows)
_counts = select(counts.c.state, counts.c.number)


def _read(connection: Connection, *queries: Executable) -> Kept:
    positions = {Topic(topic): position for topic, position in connection.execute(_followed)}
    found = [notification_of(one) for query in queries for one in connection.execute(query)]
    numbers = {State(state): number for state, number in connection.execute(_counts)}
    return Kept(positions, numbers, Outbox(found))


def load(connection: Connection) -> Kept:
    """Return the Notifier's first state, without any notification."""
    return _read(connection)


def look_up_subjects(connection: Connection, subjects: Collection[Subject]) -> Kept:
    """Return the last notification of each of some subjects.

    Also of a subject of another topic with the same id; there is none, since ids are random.
    """
    last = (
        select(_columns.topic, _columns.subject_id, func.max(_columns.sequence))
        .where(_columns.topic.in_({topic.value for topic, _ in subjects}))
        .where(_columns.subject_id.in_({subject_id for _, subject_id in subjects}))
        .group_by(_columns.topic, _columns.subject_id)
    )
    places = tuple_(_columns.topic, _columns.subject_id, _columns.sequence)
    return _read(connection, select(*_columns).where(places.in_(last)))


def look_up(connection: Connection, event_ids: Collection[str]) -> Kept:
    """Return some notifications, and the next one of each one's subject."""
    before, behind = table.alias(), table.alias()
    is_next = and_(
        behind.c.topic == before.c.topic,
        behind.c.subject_id == before.c.subject_id,
        behind.c.sequence == before.c.sequence + 1,
    )
    return _read(
        connection,
        select(*_columns).where(_columns.event_id.in_(event_ids)),
        select(*behind.c)
        .join_from(before, behind, is_next)
        .where(before.c.event_id.in_(event_ids)),
    )


class Lane(NamedTuple):
    """A group of notifications with its own slots."""

    topic: Topic
    state: State


def read_due(
    connection: Connection, now: float, free: Collection[Lane], every: Collection[Lane], most: int
) -> Due[Notification]:
    """Return at most `most` due notifications of each free lane, and when the next one is due."""
    found: list[Notification] = []
    for lane in free:
        query = select(*_columns).where(_is_in(lane), _columns.due_at <= now)
        query = query.order_by(_columns.due_at, _columns.position).limit(most)
        found += [notification_of(row) for row in connection.execute(query)]
    later = select(func.min(_columns.due_at)).where(_columns.due_at > now)
    times = [connection.execute(later.where(_is_in(lane))).scalar() for lane in every]
    return Due(found, min((one for one in times if one is not None), default=None))


def _is_in(lane: Lane) -> ColumnElement[bool]:
    return and_(_columns.topic == lane.topic.value, _columns.state == lane.state.value)


def hasten(connection: Connection, now: float) -> int:
    """Make notifications due that are scheduled later than any pause allows; return how many.

    The clock was set back after they were scheduled.
    """
    far = _columns.due_at > now + PAUSES[-1]
    scheduled = _columns.state.in_([State.DUE.value, State.RETRYING.value])
    of_any = _columns.topic.in_([topic.value for topic in Topic])  # for the index
    hastened = update(table).where(of_any, scheduled, far).values(due_at=now)
    return connection.execute(hastened).rowcount


@dataclass(frozen=True, slots=True)
class Wanted:
    """A manager's filter for a page; none are of both an order and a booking."""

    order_id: str | None = None
    booking_id: str | None = None
    state: State | None = None
    before: int | None = None
    """The page has notifications about events before this position."""
    most: int = 100


class Page(NamedTuple):
    """Some notifications, the newest first, and their last attempts."""

    notifications: list[Notification]
    attempts: Mapping[str, list[Attempt]]
    """By event_id, oldest first."""
    goes_on: bool


def read_page(connection: Connection, wanted: Wanted) -> Page:
    """Return a page of notifications."""
    query = select(*_columns).order_by(_columns.position.desc()).limit(wanted.most + 1)
    for topic, one in ((Topic.ORDER, wanted.order_id), (Topic.BOOKING, wanted.booking_id)):
        if one is not None:
            query = query.where(_columns.topic == topic.value, _columns.subject_id == one)
    if wanted.state is not None:
        query = query.where(_columns.state == wanted.state.value)
    if wanted.before is not None:
        query = query.where(_columns.position < wanted.before)
    found = [notification_of(row) for row in connection.execute(query)]
    shown = found[: wanted.most]
    return Page(shown, read_attempts(connection, shown), len(found) > len(shown))


def read_attempts(
    connection: Connection, of: Sequence[Notification]
) -> Mapping[str, list[Attempt]]:
    """Return the last attempts of some notifications."""
    ids = [one.event_id for one in of]
    query = (
        select(*attempts.c)
        .join(table, _columns.event_id == attempts.c.event_id)
        .where(attempts.c.event_id.in_(ids), attempts.c.number > _columns.attempts - LAST_ATTEMPTS)
        .order_by(attempts.c.event_id, attempts.c.number)
    )
    found: dict[str, list[Attempt]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.event_id].append(attempt_of(row))
    return found


def ended(before: float) -> Select[Any]:
    """Select the notifications that were delivered before a time."""
    return select(_columns.event_id).where(_columns.delivered_at < before)


def _delete(of: Any, event_ids: Sequence[str]) -> Executable:
    return delete(of).where(of.c.event_id.in_(event_ids))


PRUNE = (partial(_delete, attempts), partial(_delete, table))
