"""What the ledger and the shop need to know of orders.

Rule: values only; the rest of the department stays behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Executable, Select, delete, func, select

from cafe.ledger.department import Department
from cafe.orders.checks import CHECKS
from cafe.orders.order import TRANSITIONS, Action, Status
from cafe.orders.queries import load_orders
from cafe.orders.tables import id_secret, keys, orders


def _ended(before: float) -> Select[Any]:
    # The highest number stays, for the next order's is one more.
    highest = select(func.max(orders.c.number)).scalar_subquery()
    return select(orders.c.order_id).where(orders.c.ended_at < before, orders.c.number < highest)


def _prune_keys(subjects: Sequence[str]) -> Executable:
    return delete(keys).where(keys.c.order_id.in_(subjects))


def _prune_orders(subjects: Sequence[str]) -> Executable:
    return delete(orders).where(orders.c.order_id.in_(subjects))


ORDERS = Department(
    "orders",
    tables=(orders, keys, id_secret),
    load=load_orders,
    transitions={
        (None, Action.PLACE.value): Status.WAITING.value,
        **{
            (before.value, action.value): after.value
            for (before, action), after in TRANSITIONS.items()
        },
    },
    checks=CHECKS,
    ended=_ended,
    prune=(_prune_keys, _prune_orders),
)
