"""Queries that the checks of several departments share: each selects rows that break a promise.

Rule: they read only the log and the rows that they are given.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Executable, FromClause, and_, func, select

from cafe.ledger.tables import events, prunings

_event = events.c

pruned_through: Final = func.coalesce(select(func.max(prunings.c.through)).scalar_subquery(), 0)
"""The position up to which events may be missing."""


def not_as_its_events_say(
    department: str,
    rows: FromClause,
    subject: ColumnElement[Any],
    status: ColumnElement[Any],
    *shown: ColumnElement[Any],
) -> Executable:
    """Select the rows whose status differs from that after the last event of their subject."""
    from_last = func.row_number().over(partition_by=_event.subject, order_by=_event.position.desc())
    ours = select(_event.subject, _event.after, from_last.label("from_last"))
    last = ours.where(_event.department == department).subquery()
    both = rows.outerjoin(last, and_(last.c.subject == subject, last.c.from_last == 1))
    columns = (subject.label("subject"), *shown, status.label("status"))
    return (
        select(*columns, last.c.after.label("last event"))
        .select_from(both)
        .where(last.c.after.is_distinct_from(status))
    )


def followed_beyond(position: ColumnElement[Any], subject: ColumnElement[Any]) -> Executable:
    """Select followers' positions beyond the end of the log.

    They would skip the events that get these positions later. `subject` labels the finding.
    """
    end = select(func.coalesce(func.max(_event.position), 0)).scalar_subquery()
    columns = (subject.label("subject"), position.label("followed"), end.label("end of the log"))
    return select(*columns).where(position > end)
