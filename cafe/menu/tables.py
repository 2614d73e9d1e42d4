"""The tables of the menu, and how a product becomes rows.

Rule: a row is never deleted: old orders name the product and the variation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
)

from cafe.ledger.department import Entry, Event, Put
from cafe.ledger.tables import metadata, one_of
from cafe.menu.catalogue import Change, Status
from cafe.menu.product import Product, Variation

products = Table(
    "products",
    metadata,
    Column("product_id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("base_price_cents", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    CheckConstraint("base_price_cents >= 0", name="base_price_cents"),
    CheckConstraint(one_of("status", Status), name="status"),
)
variations = Table(
    "variations",
    metadata,
    Column("product_id", String(64), ForeignKey("products.product_id"), primary_key=True),
    Column("variation_id", String(64), primary_key=True),
    # Its place among the product's variations.
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("price_change_cents", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
)


def entry_of(change: Change, at: float, by: str | None) -> Entry:
    """Return a change as an entry of the ledger."""
    product = change.product
    before = None if change.before is None else change.before.value
    event = Event(product.product_id, change.action.value, before, change.after.value, at, by)
    gone = {one.variation_id for one in change.gone}
    listed = [one for one in product.variations if one.variation_id not in gone]
    return Entry(
        event,
        (
            Put(products, (*product[:6], change.after.value)),
            *(_put(product, place, one, deleted=False) for place, one in enumerate(listed)),
            *(_put(product, place, one, deleted=True) for place, one in enumerate(change.gone)),
        ),
    )


def _put(product: Product, place: int, variation: Variation, *, deleted: bool) -> Put:
    variation_id, name, cents = variation
    return Put(variations, (product.product_id, variation_id, place, name, cents, deleted))


def product_of(row: Sequence[Any], its_variations: Sequence[Variation]) -> Product:
    """Return the product that a row and those of its variations hold."""
    *members, status = row
    return Product._make((*members, status == Status.SOLD_OUT, tuple(its_variations)))
