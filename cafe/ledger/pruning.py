"""Pruning: subjects that ended long ago are deleted, with their events and their rows.

Rule: a little at a time, so that no commit waits long for it. What a department has not followed
yet stays, however old it is: so no follower ever misses an event. The last event of the log always
stays, for positions go on from it, and the ledger remembers up to where events may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from cafe.ledger.department import Department
from cafe.ledger.tables import events, prunings

MOST_SUBJECTS = 500
"""Deleted in one transaction."""


def prune_some(
    connection: Connection,
    department: Department[Any],
    before: float,
    followers: Iterable[Department[Any]],
) -> int:
    """Delete some of a department's subjects that ended before a time; 0 when none is left.

    Not those with an event that one of `followers` has not followed yet.
    """
    ended = department.ended(before)
    if ended is None:
        return 0
    stays = or_(events.c.at >= before, *_unfollowed(connection, followers))
    subjects = connection.execute(_prunable(ended, department, stays)).scalars().all()
    if subjects:
        ours = and_(events.c.department == department.name, events.c.subject.in_(subjects))
        _remember(connection, connection.execute(select(func.max(events.c.position)).where(ours)))
        connection.execute(delete(events).where(ours))
        for statement in department.prune:
            connection.execute(statement(subjects))
    return len(subjects)


def _unfollowed(connection: Connection, followers: Iterable[Department[Any]]) -> list[Any]:
    """Give conditions for the events that somebody has not followed yet."""
    selects = [one.followed for one in followers if one.followed is not None]
    positions = [connection.execute(one).scalar() or 0 for one in selects]
    return [events.c.position > min(positions)] if positions else []


def _prunable(ended: Any, department: Department[Any], stays: Any) -> Any:
    subject = ended.subquery().c[0]
    last = select(events.c.subject).order_by(events.c.position.desc()).limit(1)
    staying = select(events.c.position).where(
        events.c.subject == subject, events.c.department == department.name, stays
    )
    is_last = subject == last.scalar_subquery()
    return select(subject).where(~staying.exists(), ~is_last).limit(MOST_SUBJECTS)


def _remember(connection: Connection, found: Any) -> None:
    through: int = found.scalar() or 0
    known = connection.execute(select(prunings.c.through)).scalar()
    if known is None:
        connection.execute(insert(prunings).values(id=1, through=through))
    elif through > known:
        connection.execute(update(prunings).values(through=through))
