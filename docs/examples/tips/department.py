"""What the ledger and the shop need to know of tips.

Rule: queries only; what a row means is for `tip.py` to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, and_, delete, func, or_, select

from cafe.ledger.department import Department, Logged
from cafe.ledger.tables import events, prunings
from docs.examples.tips.tables import brews, followed, tip_of, tips, totals
from docs.examples.tips.tip import TRANSITIONS, Action, Brew, Status, Tip, TipBook


def load_position(connection: Connection) -> int:
    """Give the position up to which events have had their effects."""
    return connection.execute(select(followed.c.position)).scalar() or 0


def look_up(connection: Connection, tip_id: str, order_id: str) -> tuple[Tip | None, TipBook]:
    """Give the tip that has an id, and what there is of an order."""
    row = connection.execute(select(tips).where(tips.c.tip_id == tip_id)).first()
    return None if row is None else tip_of(row), _read_book(connection, [order_id], [])


def look_up_all(connection: Connection, events: Sequence[Logged]) -> tuple[int, TipBook]:
    """Give the position up to which events have had their effects, and what these concern."""
    order_ids = {one.event.subject for one in events}
    baristas = {one.event.by for one in events if one.event.by is not None}
    return load_position(connection), _read_book(connection, order_ids, baristas)


def _read_book(
    connection: Connection, order_ids: Iterable[str], baristas: Iterable[str]
) -> TipBook:
    """Give some orders with their tips, and the totals of their baristas and of these."""
    of_orders = [
        Brew._make(row)
        for row in connection.execute(select(brews).where(brews.c.order_id.in_(order_ids)))
    ]
    given = connection.execute(select(tips).where(tips.c.order_id.in_(order_ids)))
    names = {*baristas, *(brew.barista for brew in of_orders)}
    got = connection.execute(select(totals).where(totals.c.barista.in_(names)))
    return TipBook(of_orders, map(tip_of, given), {row.barista: row.cents for row in got})


def read_totals(connection: Connection) -> dict[str, int]:
    """Give the cents that each barista has got in all."""
    found = connection.execute(select(totals).order_by(totals.c.barista))
    return {row.barista: row.cents for row in found}


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


TIPS = Department(
    "tips",
    tables=(brews, tips, totals, followed),
    load=load_position,
    transitions={
        (None, Action.GIVE.value): Status.PLEDGED.value,
        **{
            (before.value, action.value): after.value
            for (before, action), after in TRANSITIONS.items()
        },
    },
    checks={
        "every tip stands where its last event left it": _not_as_its_events_say(),
        "every tip was paid or returned as its order ended": _not_as_its_order_ended(),
        "every barista has got what was paid, no more and no less": _wrong_totals(),
    },
    ended=lambda before: select(brews.c.order_id).where(brews.c.ended_at < before),
    prune=(
        lambda order_ids: delete(tips).where(tips.c.order_id.in_(order_ids)),
        lambda order_ids: delete(brews).where(brews.c.order_id.in_(order_ids)),
    ),
    followed=select(followed.c.position),
    remembers=False,
)
