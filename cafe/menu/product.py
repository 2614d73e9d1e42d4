"""Products, their variations and prices: the menu at one moment.

Rule: pure; a change makes a new Menu. Money is integer cents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple


class Variation(NamedTuple):
    """One way to have a product."""

    variation_id: str
    name: str
    price_change_cents: int
    """Added to the product's base price; may be negative."""


class Product(NamedTuple):
    """What the shop sells."""

    product_id: str
    name: str
    description: str
    category: str
    position: int
    """Where it stands on the menu, the lowest first."""
    base_price_cents: int
    sold_out: bool
    variations: tuple[Variation, ...] = ()


class Menu:
    """All products that are sold, in the order in which they are shown; it never changes."""

    def __init__(self, products: Iterable[Product] = ()) -> None:
        """Sort `products` by position, then by name."""
        self.products = tuple(sorted(products, key=lambda one: (one.position, one.name)))
        self.by_id: Mapping[str, Product] = MappingProxyType(
            {one.product_id: one for one in self.products}
        )
        self._by_name = {one.name.casefold(): one for one in self.products}

    def find(self, name_or_id: str) -> Product | None:
        """Return the product with this id, or with this name in any case."""
        return self.by_id.get(name_or_id) or self._by_name.get(name_or_id.casefold())

    def names(self) -> list[str]:
        """List what can be ordered: the names of products that are not sold out."""
        return [one.name for one in self.products if not one.sold_out]


class Board:
    """The menu as it is committed, for all who read it; only the Menu actor's owner changes it.

    A plain value between one writer and many readers: reading it costs no message, and each reader
    works on one menu from the first line to the last.
    """

    def __init__(self, menu: Menu | None = None) -> None:
        """Show `menu`, or an empty one until the first is shown."""
        self.menu = menu or Menu()

    def show(self, menu: Menu) -> None:
        """Show another menu from now on."""
        self.menu = menu
