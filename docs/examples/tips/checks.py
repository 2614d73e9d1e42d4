"""What the tables of tips promise, as queries: each returns the orders or baristas that break it.

Rule: a promise is one sentence and one query that stands by itself. What holds for the events of
every department is checked by the ledger.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Executable, and_, func, or_, select

from cafe.ledger.tables import events, prunings
from docs.examples.tips.tables import brews, tips, totals


def _ours() -> Any:
    last = func.row_number().over(partition_by=events.c.subject, order_by=events.c.position.desc())
    columns = (events.c.subject, events.c.after, events.c.by, last.label("from_last"))
    return select(*columns).where(events.c.department == "tips").subquery()


def _not_as_its_events_say() -> Executable:
    last = _ours().alias()
    differ = or_(
        last.c.after.is_distinct_from(tips.c.status), last.c.by.is_distinct_from(tips.c.barista)
    )
    both = tips.outerjoin(last, and_(last.c.subject == tips.c.order_id, last.c.from_last == 1))
    columns = (tips.c.order_id.label("subject"), tips.c.status, tips.c.barista)
    return select(*columns, last.c.after.label("last event")).select_from(both).where(differ)


def _not_as_its_order_ended() -> Executable:
    right = or_(
        and_(brews.c.outcome.is_(None), tips.c.status == "pledged"),
        and_(brews.c.outcome == "cancelled", tips.c.status == "returned"),
        and_(
            brews.c.outcome == "ready", tips.c.status == "paid", tips.c.barista == brews.c.barista
        ),
    )
    columns = (tips.c.order_id.label("subject"), tips.c.status, tips.c.barista, brews.c.outcome)
    # What is right may be NULL, as a status is that must not be compared.
    return select(*columns).join_from(tips, brews).where(func.coalesce(right, False).is_(False))


def _wrong_totals() -> Executable:
    paid = (
        select(tips.c.barista, func.sum(tips.c.cents).label("paid"))
        .where(tips.c.status == "paid")
        .group_by(tips.c.barista)
        .subquery()
    )
    got, given = func.coalesce(totals.c.cents, 0), func.coalesce(paid.c.paid, 0)
    is_pruned = select(prunings.c.id).exists()
    return (
        select(
            func.coalesce(totals.c.barista, paid.c.barista).label("subject"),
            totals.c.cents,
            paid.c.paid,
        )
        .select_from(totals.outerjoin(paid, paid.c.barista == totals.c.barista, full=True))
        .where(or_(got < given, and_(got > given, ~is_pruned)))
    )


CHECKS: dict[str, Executable] = {
    "every tip stands where its last event left it": _not_as_its_events_say(),
    "every tip was paid or returned as its order ended": _not_as_its_order_ended(),
    "every barista has got exactly what was paid": _wrong_totals(),
}
