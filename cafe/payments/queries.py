"""The queries of payments: for the start, for requests, and for the follower.

Rule: queries only; `payment.py` decides what a row means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from cafe.payments.payment import OPEN, Payment, Status
from cafe.payments.tables import followed, payment_of, payments

MOST_RECENT = 1_000
"""The most settled payments that the Cashier loads at the start, for requests that are repeated."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state from which the Cashier starts."""

    open: tuple[Payment, ...] = ()
    recent: tuple[Payment, ...] = ()
    """Settled payments that changed last, the newest at the end."""
    position: int = 0
    """The position in the log up to which the orders' events are applied."""


# As literals: the database uses the partial index only where it can see the values.
_is_open = payments.c.status.in_(bindparam("open", OPEN, expanding=True, literal_execute=True))


def load_payments(connection: Connection) -> Snapshot:
    """Return the Cashier's first state; the time does not grow with the settled payments."""
    opened = select(*payments.c).where(_is_open).order_by(payments.c.intended_at)
    recent = (
        select(*payments.c)
        .order_by(payments.c.changed_at.desc(), payments.c.payment_id)
        .limit(MOST_RECENT)
    )
    found = [payment_of(row) for row in connection.execute(recent)]
    return Snapshot(
        open=tuple(payment_of(row) for row in connection.execute(opened)),
        recent=tuple(one for one in reversed(found) if not one.is_open),
        position=load_position(connection),
    )


def count_open(connection: Connection) -> dict[Status, int]:
    """Count the payments with something left to do."""
    found = select(payments.c.status, func.count()).where(_is_open).group_by(payments.c.status)
    return {Status(status): number for status, number in connection.execute(found)}


def load_position(connection: Connection) -> int:
    """Return the position up to which the orders' events are applied."""
    return connection.execute(select(followed.c.position)).scalar() or 0


def look_up(connection: Connection, payment: Payment) -> list[Payment]:
    """Return the payments with this one's id, or with its key: two at most."""
    same = payments.c.payment_id == payment.payment_id
    if payment.key is not None:
        ours = payments.c.account_id == payment.account_id
        same = or_(same, and_(ours, payments.c.key == payment.key))
    return [payment_of(row) for row in connection.execute(select(*payments.c).where(same))]


def find_of_orders(connection: Connection, order_ids: Sequence[str]) -> dict[str, Payment]:
    """Return the payments of some orders, by order."""
    query = select(*payments.c).where(payments.c.order_id.in_(order_ids))
    found = [payment_of(row) for row in connection.execute(query)]
    return {one.order_id: one for one in found}


def list_by_status(
    connection: Connection, status: str, behind: int | None, most: int
) -> list[Payment]:
    """Return payments of placed orders, the newest first; `behind`: older than this number."""
    found = (
        select(*payments.c)
        .where(payments.c.status == status, payments.c.number.is_not(None))
        .order_by(payments.c.number.desc())
        .limit(most)
    )
    if behind is not None:
        found = found.where(payments.c.number < behind)
    return [payment_of(row) for row in connection.execute(found)]


def has_key_since(connection: Connection, since: float) -> bool:
    """Return whether any payment has a key that was used at this time or later."""
    found = select(payments.c.payment_id).where(
        payments.c.key.is_not(None), payments.c.changed_at >= since
    )
    return connection.execute(found.limit(1)).first() is not None
