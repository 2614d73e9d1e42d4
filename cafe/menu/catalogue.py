"""The statuses and transitions of products, and the changes of a whole menu.

Rule: pure. The table below *is* the state machine. A deleted product keeps its id for ever: old
orders name it.

    on the menu --sell out--> sold out --restock--> on the menu
    on the menu, sold out --change--> the same
    on the menu, sold out --delete--> deleted --restore--> on the menu
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from cafe.menu.product import Menu, MenuError, Product, Variation, check
from cafe.names import key_of

POSITIONS_APART: Final = 10
"""The gap between the last product and one added after it, so that others fit in between."""


class Status(StrEnum):
    """Whether a product is sold."""

    ON_MENU = "on the menu"
    SOLD_OUT = "sold out"
    DELETED = "deleted"


class Action(StrEnum):
    """What can happen to a product."""

    ADD = "add"
    """The first action of each product; TRANSITIONS has no row for it."""
    CHANGE = "change"
    SELL_OUT = "sell out"
    RESTOCK = "restock"
    DELETE = "delete"
    RESTORE = "restore"
    """A deleted product returns under its id."""


TRANSITIONS: Final[dict[tuple[Status, Action], Status]] = {
    (Status.ON_MENU, Action.CHANGE): Status.ON_MENU,
    (Status.SOLD_OUT, Action.CHANGE): Status.SOLD_OUT,
    (Status.ON_MENU, Action.SELL_OUT): Status.SOLD_OUT,
    (Status.SOLD_OUT, Action.RESTOCK): Status.ON_MENU,
    (Status.ON_MENU, Action.DELETE): Status.DELETED,
    (Status.SOLD_OUT, Action.DELETE): Status.DELETED,
    (Status.DELETED, Action.RESTORE): Status.ON_MENU,
}


class UnknownProductError(Exception):
    """There is no such product."""


class VariationWish(NamedTuple):
    """A variation as a manager wants it."""

    variation_id: str | None
    """None for the variation that has this name already, or for a new one."""
    name: str
    price_change_cents: int


class ProductWish(NamedTuple):
    """A product as a manager wants it; None leaves a field as it is."""

    product_id: str | None = None
    name: str | None = None
    description: str | None = None
    category: str | None = None
    position: int | None = None
    """None places a new product after all others."""
    base_price_cents: int | None = None
    sold_out: bool | None = None
    variations: tuple[VariationWish, ...] | None = None


class Change(NamedTuple):
    """One transition that has happened."""

    action: Action
    before: Status | None
    after: Status
    product: Product
    """The product after all changes of its turn."""
    gone: tuple[Variation, ...] = ()
    """Variations that were removed from it."""


NewId = Callable[[], str]


class Catalogue(NamedTuple):
    """The menu, and the ids of deleted products; a change makes a new one."""

    menu: Menu
    deleted: frozenset[str] = frozenset()

    def add(self, wish: ProductWish, new_id: NewId) -> tuple[Catalogue, list[Change]]:
        """Add a new product to the menu; raises MenuError."""
        _refuse_unknown((), wish)
        wish = _placed(wish, self.menu.products)
        return self._with([*self.menu.products, _granted(_new(wish, new_id), wish, new_id)])

    def change(
        self, product_id: str, wish: ProductWish, new_id: NewId
    ) -> tuple[Catalogue, list[Change]]:
        """Change a product; raises UnknownProductError and MenuError.

        If the wish lists variations, all others are removed.
        """
        before = self.find(product_id)
        _refuse_unknown(before.variations, wish)
        others = [one for one in self.menu.products if one is not before]
        return self._with([*others, _granted(before, wish, new_id)])

    def delete(self, product_id: str) -> tuple[Catalogue, list[Change]]:
        """Delete a product; do nothing if it is deleted. Raises UnknownProductError."""
        if product_id in self.deleted:
            return self, []
        before = self.find(product_id)
        return self._with([one for one in self.menu.products if one is not before])

    def replace(
        self, wishes: Sequence[ProductWish], new_id: NewId
    ) -> tuple[Catalogue, list[Change]]:
        """Make `wishes` the whole menu; raises MenuError with the place of the wish.

        A wish with an id means the product of this id, also one that was deleted, or a new one. A
        wish without an id means the product of its name, or a new one. One without a position is
        placed after the wishes before it.
        """
        ids = {wish.product_id for wish in wishes}
        named = {key_of(one.name): one for one in self.menu.products if one.product_id not in ids}
        products: list[Product] = []
        for wish in (_placed(one, products) for one in wishes):
            before = named.get(key_of(wish.name or ""))
            if wish.product_id is not None:
                before = self.menu.by_id.get(wish.product_id)
            products.append(_granted(before or _new(wish, new_id), wish, new_id))
        return self._with(products)

    def find(self, product_id: str) -> Product:
        """Return a product on the menu; raises UnknownProductError."""
        found = self.menu.by_id.get(product_id)
        if found is None:
            raise UnknownProductError
        return found

    def _with(self, products: Sequence[Product]) -> tuple[Catalogue, list[Change]]:
        """Return the catalogue with exactly these products, and the changes that lead to it."""
        check(products)
        after = Menu(products)
        gone = [one for one in self.menu.products if one.product_id not in after.by_id]
        changes = [
            Change(Action.DELETE, _status_of(one), Status.DELETED, one, one.variations)
            for one in gone
        ]
        for product in after.products:
            changes += self._steps_to(product)
        deleted = self.deleted.union(one.product_id for one in gone) - after.by_id.keys()
        return Catalogue(after, deleted), changes

    def _steps_to(self, product: Product) -> list[Change]:
        """Return the transitions of a product to its wanted state."""
        before = self.menu.by_id.get(product.product_id)
        steps: list[Change] = []
        if before is None:
            deleted = product.product_id in self.deleted
            action, was = (Action.RESTORE, Status.DELETED) if deleted else (Action.ADD, None)
            steps.append(Change(action, was, Status.ON_MENU, product))
            before = product._replace(sold_out=False)
        elif product._replace(sold_out=before.sold_out) != before:
            kept = {one.variation_id for one in product.variations}
            gone = tuple(one for one in before.variations if one.variation_id not in kept)
            status = _status_of(before)
            steps.append(Change(Action.CHANGE, status, status, product, gone))
        if product.sold_out != before.sold_out:
            action = Action.SELL_OUT if product.sold_out else Action.RESTOCK
            steps.append(Change(action, _status_of(before), _status_of(product), product))
        return steps


def _status_of(product: Product) -> Status:
    return Status.SOLD_OUT if product.sold_out else Status.ON_MENU


def _refuse_unknown(known: Sequence[Variation], wish: ProductWish) -> None:
    """Raise MenuError if a variation's id is not among those known."""
    ids = {None, *(one.variation_id for one in known)}
    for index, variation in enumerate(wish.variations or ()):
        if variation.variation_id not in ids:
            raise MenuError("The product has no such variation.", (0, "variations", index, "id"))


def _placed(wish: ProductWish, before: Sequence[Product]) -> ProductWish:
    """Return the wish with a position: its own, or one after these products."""
    if wish.position is not None:
        return wish
    last = max((one.position for one in before), default=0)
    return wish._replace(position=last + POSITIONS_APART)


def _new(wish: ProductWish, new_id: NewId) -> Product:
    return Product(wish.product_id or new_id(), "", "", "", 0, 0, sold_out=False)


def _granted(product: Product, wish: ProductWish, new_id: NewId) -> Product:
    """Return the product as the wish wants it.

    A variation without an id is the one that has its name, or a new one.
    """
    members = {name: value for name, value in wish._asdict().items() if value is not None}
    if wish.variations is not None:
        ids = {one.variation_id for one in wish.variations}
        named = {
            key_of(one.name): one.variation_id
            for one in product.variations
            if one.variation_id not in ids
        }
        members["variations"] = tuple(
            Variation(variation_id or named.get(key_of(name)) or new_id(), name, cents)
            for variation_id, name, cents in wish.variations
        )
    return product._replace(**{**members, "product_id": product.product_id})
