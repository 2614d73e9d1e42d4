"""The invariants of the menu, as queries that return the products that violate them.

Rule: each invariant is one sentence and one query, independent of the others. The ledger checks
what holds for the events of every department.
"""

from __future__ import annotations

from sqlalchemy import Executable, func, select

from cafe.ledger.invariants import not_as_its_events_say
from cafe.ledger.tables import events
from cafe.menu.tables import products, variations

_ours = events.c.department == "menu"
_WHO = (products.c.product_id.label("subject"), products.c.name)


def _below_zero() -> Executable:
    price = products.c.base_price_cents + variations.c.price_change_cents
    return (
        select(*_WHO, variations.c.variation_id, price.label("cents"))
        .join_from(products, variations)
        .where(price < 0, variations.c.deleted.is_(False), products.c.status != "deleted")
    )


def _same_names() -> Executable:
    return (
        select(func.min(products.c.product_id).label("subject"), products.c.name)
        .where(products.c.status != "deleted")
        .group_by(products.c.name)
        .having(func.count() > 1)
    )


def _deleted_with_variations() -> Executable:
    return (
        select(*_WHO, variations.c.variation_id)
        .join_from(products, variations)
        .where(products.c.status == "deleted", variations.c.deleted.is_(False))
    )


CHECKS: dict[str, Executable] = {
    "every product stands where its last event left it": not_as_its_events_say(
        "menu", products, products.c.product_id, products.c.status, products.c.name
    ),
    "no price on the menu is below zero": _below_zero(),
    "no two products on the menu have the same name": _same_names(),
    "a deleted product has no variations on the menu": _deleted_with_variations(),
}
