"""The import of products, beside those on the menu.

Rule: the catalogue decides, as it does for a manager who adds one product after the other.
"""

from __future__ import annotations

from sqlalchemy import Connection

from cafe.ledger.department import Entry
from cafe.ledger.importing import WHO, Times, WrongRecordError
from cafe.menu.catalogue import ProductWish
from cafe.menu.keeper import new_id
from cafe.menu.product import Menu, MenuError
from cafe.menu.queries import load_menu
from cafe.menu.tables import entry_of


class MenuImport:
    """Makes the entries of imported products, beside the stored ones."""

    def __init__(self, connection: Connection, times: Times) -> None:
        """Read the menu."""
        self._catalogue = load_menu(connection).catalogue
        self._times = times

    @property
    def menu(self) -> Menu:
        """The menu with the products that were added here."""
        return self._catalogue.menu

    def add(self, wish: ProductWish) -> list[Entry]:
        """Return the entries of a new product; raises WrongRecordError."""
        if wish.product_id in self._catalogue.deleted:
            raise WrongRecordError("A product with this id was on the menu, and left it.", "id")
        variations = wish.variations or ()
        ids = iter([one.variation_id or new_id() for one in variations])
        # A new product has no variations yet, so its wish may not name one by its id.
        wish = wish._replace(
            product_id=wish.product_id or new_id(),
            variations=tuple(one._replace(variation_id=None) for one in variations),
        )
        try:
            self._catalogue, changes = self._catalogue.add(wish, ids.__next__)
        except MenuError as wrong:
            # Without its index in the list, which the record has.
            raise WrongRecordError(wrong.sentence, *wrong.place[1:]) from None
        return [entry_of(one, self._times.now, WHO) for one in changes]
