"""The messages of the MenuKeeper, and the types of the menu for other departments.

Rule: frozen values only, and the board that shows the committed menu. A change can be retried after
a crash, and takes effect once: it carries the wanted state, or an id made by its sender.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import Message
from cafe.menu.catalogue import ProductWish
from cafe.menu.product import Board as Board  # noqa: PLC0414 - exported for other departments
from cafe.menu.product import Menu as Menu  # noqa: PLC0414 - as above
from cafe.menu.product import Product as Product  # noqa: PLC0414 - as above
from cafe.menu.product import Variation as Variation  # noqa: PLC0414 - as above

if TYPE_CHECKING:
    from cafe.menu.keeper import MenuKeeper  # noqa: F401 - the owner of the messages


@dataclass(frozen=True, slots=True)
class AddProduct(Message["MenuKeeper", Product]):
    """Add a new product; answered when it is committed. The same id is the same product."""

    wish: ProductWish
    """With the product's id, made by the sender."""
    by: str | None = None
    """The manager's name."""


@dataclass(frozen=True, slots=True)
class ChangeProduct(Message["MenuKeeper", Product]):
    """Change those members of a product that are not None."""

    product_id: str
    wish: ProductWish
    by: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteProduct(Message["MenuKeeper", None]):
    """Delete a product; repeating it does nothing."""

    product_id: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class ReplaceMenu(Message["MenuKeeper", tuple[Product, ...]]):
    """Make this the whole menu, in one commit; answered with its products."""

    wishes: tuple[ProductWish, ...]
    by: str | None = None


@dataclass(frozen=True, slots=True)
class ReadMenu(Message["MenuKeeper", tuple[Product, ...]]):
    """Answered with the products of the menu once all changes before this are committed."""


@dataclass(frozen=True, slots=True)
class CountProducts(Message["MenuKeeper", int]):
    """Count the products: answered at once, also while the database is away."""


@dataclass(frozen=True, slots=True)
class LoadMenu(Message["MenuKeeper", None]):
    """Load the committed menu again: the database has refused a row."""
