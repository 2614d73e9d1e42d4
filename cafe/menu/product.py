"""Products, their variations and prices: the menu at one moment.

Rule: pure; a change makes a new Menu. Money is integer cents.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from cafe.names import key_of, tidy

MOST_CENTS: Final = 100_000_000
"""The limit of a price, and of a variation's change of it: the total of any basket stays far below
the largest integer that JSON carries exactly."""
MOST_BYTES: Final = 60_000
"""The most bytes of a menu as JSON: a whole menu fits into one request, which replaces it."""

Place = tuple[str | int, ...]
"""The path of a member in a list of products: `(2, "variations", 0, "name")`."""


class MenuError(Exception):
    """These products cannot be a menu."""

    def __init__(self, sentence: str, place: Place = ()) -> None:
        """Carry the reason, and the place of what is wrong."""
        super().__init__(sentence)
        self.sentence = sentence
        self.place = place


class NameTakenError(MenuError):
    """Another product has this name or id."""


class Variation(NamedTuple):
    """A variant of a product, such as a flavour."""

    variation_id: str
    name: str
    price_change_cents: int
    """Added to the product's base price; may be negative."""


class Product(NamedTuple):
    """A product that the shop sells."""

    product_id: str
    name: str
    description: str
    category: str
    position: int
    """Its order on the menu, the lowest first."""
    base_price_cents: int
    sold_out: bool
    variations: tuple[Variation, ...] = ()

    def find_variation(self, name_or_id: str) -> Variation | None:
        """Return the variation with this id, or else with this name in any case."""
        key = key_of(tidy(name_or_id))
        named = None
        for one in self.variations:
            if one.variation_id == name_or_id:
                return one
            if key_of(one.name) == key:
                named = one
        return named


class Menu:
    """All products that are sold, in the order in which they are shown; it never changes."""

    def __init__(self, products: Iterable[Product] = ()) -> None:
        """Sort `products` by position, then by name."""
        self.products = tuple(sorted(products, key=lambda one: (one.position, one.name)))
        self.by_id: Mapping[str, Product] = MappingProxyType(
            {one.product_id: one for one in self.products}
        )
        self._by_key = {key_of(one.name): one for one in self.products}

    def find(self, name_or_id: str) -> Product | None:
        """Return the product with this id, or with this name in any case."""
        return self.by_id.get(name_or_id) or self._by_key.get(key_of(tidy(name_or_id)))

    def names(self) -> list[str]:
        """List the names of products that are not sold out."""
        return [one.name for one in self.products if not one.sold_out]


class Board:
    """The committed menu, for all readers; only the actor that owns it changes it.

    A plain value between one writer and many readers: reading it costs no message, and each reader
    works on one menu from the first line to the last.
    """

    def __init__(self, menu: Menu | None = None) -> None:
        """Show `menu`, or an empty one until the first is shown."""
        self.menu = menu or Menu()

    def show(self, menu: Menu) -> None:
        """Replace the menu."""
        self.menu = menu


def members_of(product: Product) -> dict[str, Any]:
    """Return a product as `GET /menu` shows it."""
    product_id, *rest = product
    return {
        "id": product_id,
        **dict(zip(Product._fields[1:], rest, strict=True)),
        "variations": [
            {"id": one.variation_id, "name": one.name, "price_change_cents": one.price_change_cents}
            for one in product.variations
        ],
    }


def json_of(menu: Menu) -> bytes:
    """Return the body of `GET /menu`."""
    members = {"products": [members_of(one) for one in menu.products]}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def check(products: Sequence[Product]) -> None:
    """Raise MenuError for the first product that cannot be on a menu with those before it.

    A name differs from all other names and ids: a product is ordered by either.
    """
    ids, names = dict[str, int](), dict[str, int]()
    for index, product in enumerate(products):
        if ids.setdefault(product.product_id, index) != index:
            raise MenuError("Another product has this id.", (index, "id"))
        if names.setdefault(key_of(product.name), index) != index:
            raise NameTakenError("Another product has this name.", (index, "name"))
        for place, sentence in _wrong_variations(product):
            raise MenuError(sentence, (index, "variations", *place))
    for index, product in enumerate(products):
        named = names.get(key_of(product.product_id), index)
        if named != index:
            raise NameTakenError("This name is the id of another product.", (named, "name"))
    size = len(json_of(Menu(products)))
    if size > MOST_BYTES:
        raise MenuError(f"A menu has at most {MOST_BYTES:,} bytes as JSON; this has {size:,}.")


def _wrong_variations(product: Product) -> Iterator[tuple[Place, str]]:
    ids, keys = set[str](), set[str]()
    for index, variation in enumerate(product.variations):
        if variation.variation_id in ids:
            yield (index, "id"), "Another variation of the product has this id."
        if key_of(variation.name) in keys:
            yield (index, "name"), "Another variation of the product has this name."
        if product.base_price_cents + variation.price_change_cents < 0:
            yield (index, "price_change_cents"), "With this variation the price is below zero."
        ids.add(variation.variation_id)
        keys.add(key_of(variation.name))
