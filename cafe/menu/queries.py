"""The queries of the menu.

Rule: queries only; `catalogue.py` decides what a row means.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from cafe.menu.catalogue import Catalogue, Status
from cafe.menu.product import Menu, Variation
from cafe.menu.tables import product_of, products, variations


class Stored(NamedTuple):
    """The state from which the MenuKeeper starts."""

    catalogue: Catalogue
    is_new: bool
    """Whether there has never been a product."""


def load_menu(connection: Connection) -> Stored:
    """Return the products on the menu, and the ids of deleted ones."""
    listed = (
        select(variations)
        .where(variations.c.deleted.is_(False))
        .order_by(variations.c.product_id, variations.c.position)
    )
    of: dict[str, list[Variation]] = {}
    for product_id, variation_id, _, name, cents, _ in connection.execute(listed):
        of.setdefault(product_id, []).append(Variation(variation_id, name, cents))
    rows = connection.execute(select(products)).all()
    gone = frozenset(row.product_id for row in rows if row.status == Status.DELETED)
    menu = Menu(
        product_of(row, of.get(row.product_id, ())) for row in rows if row.product_id not in gone
    )
    return Stored(Catalogue(menu, gone), is_new=not rows)
