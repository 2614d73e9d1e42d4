"""The MenuKeeper: the actor that owns the products.

Rule: each change is one turn and one commit. A menu is shown on the board once it is committed, and
before the change is answered; so no customer is sold what a crash could undo.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from actors import Actor, Reply
from cafe.ledger.journal import Journal
from cafe.menu.catalogue import Catalogue, Change, UnknownProductError
from cafe.menu.first import FIRST_MENU
from cafe.menu.messages import (
    AddProduct,
    ChangeProduct,
    CountProducts,
    DeleteProduct,
    LoadMenu,
    ReadMenu,
    ReplaceMenu,
)
from cafe.menu.product import Board, Menu, MenuError, NameTakenError, Place, Product
from cafe.menu.queries import Stored
from cafe.menu.refusals import NameTaken, NotAMenu, UnknownProduct
from cafe.menu.tables import entry_of

R = TypeVar("R")
Loaded = tuple[Journal, Stored]


def new_id() -> str:
    """Return a new id for a product or a variation."""
    return secrets.token_hex(8)


class Showing:
    """Shows a menu at its commit: a reply that the journal sends before that of the change."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def send(self, menu: Menu) -> bool:
        """Show the menu; return True."""
        self._board.show(menu)
        return True

    def fail(self, _error: Exception) -> bool:
        """Leave the board as it is: the menu was not committed, or the shop closes."""
        return False


class MenuKeeper(Actor):
    """Owns the products, and shows the committed menu on the board."""

    def __init__(
        self,
        board: Board,
        clock: Callable[[], float],
        load: Callable[[], Awaitable[Loaded]],
        loaded: Loaded,
    ) -> None:
        """Start from `loaded`, a result of `load`, which is called again after a refused row."""
        self._board = board
        self._clock = clock
        self._load = load
        self._begin(*loaded)

    def _begin(self, journal: Journal, stored: Stored) -> None:
        self._journal = journal
        self._catalogue = stored.catalogue
        if stored.is_new:
            self._write(*self._catalogue.replace(FIRST_MENU, new_id), by=None)
        elif not journal.closed:
            self._board.show(self._catalogue.menu)

    @LoadMenu.handler
    async def load(self, _message: LoadMenu) -> None:
        """Load the committed menu again."""
        self._begin(*await self._load())

    @CountProducts.handler
    def count(self, _message: CountProducts) -> int:
        """Count the products, also those that are not committed yet."""
        return len(self._catalogue.menu.products)

    @ReadMenu.deferred
    def read(self, _message: ReadMenu, reply: Reply[tuple[Product, ...]]) -> None:
        """Answer with the products on the menu."""
        self._journal.reply(reply, self._catalogue.menu.products, looks=True)

    @AddProduct.deferred
    def add(self, message: AddProduct, reply: Reply[Product]) -> None:
        """Add a product to the menu, unless it is there under this id."""
        product_id = str(message.wish.product_id)
        if product_id in self._catalogue.menu.by_id:
            self._journal.reply(reply, self._catalogue.menu.by_id[product_id], looks=True)
        else:
            adding = partial(self._catalogue.add, message.wish, new_id)
            self._turn(reply, adding, lambda menu: menu.by_id[product_id], message.by)

    @ChangeProduct.deferred
    def change(self, message: ChangeProduct, reply: Reply[Product]) -> None:
        """Change a product."""
        product_id = message.product_id
        changing = partial(self._catalogue.change, product_id, message.wish, new_id)
        self._turn(reply, changing, lambda menu: menu.by_id[product_id], message.by)

    @DeleteProduct.deferred
    def delete(self, message: DeleteProduct, reply: Reply[None]) -> None:
        """Delete a product."""
        deleting = partial(self._catalogue.delete, message.product_id)
        self._turn(reply, deleting, lambda _menu: None, message.by)

    @ReplaceMenu.deferred
    def replace(self, message: ReplaceMenu, reply: Reply[tuple[Product, ...]]) -> None:
        """Replace the whole menu; only products that differ are written."""
        replacing = partial(self._catalogue.replace, message.wishes, new_id)
        self._turn(reply, replacing, lambda menu: menu.products, message.by, within=("products",))

    def _turn(
        self,
        reply: Reply[R],
        decide: Callable[[], tuple[Catalogue, list[Change]]],
        answer: Callable[[Menu], R],
        by: str | None,
        *,
        within: Place = (),
    ) -> None:
        """Write the changes that the model decides and answer, or refuse with its error."""
        try:
            after, changes = decide()
        except UnknownProductError:
            self._journal.refuse(reply, UnknownProduct())
        except MenuError as wrong:
            # If the body is one product, its index on the menu is left out.
            place = (*within, *wrong.place) if within else wrong.place[1:]
            kind = NameTaken if isinstance(wrong, NameTakenError) else NotAMenu
            self._journal.refuse(reply, kind(wrong.sentence, place))
        else:
            self._write(after, changes, by=by)
            self._journal.reply(reply, answer(after.menu), looks=not changes)

    def _write(self, after: Catalogue, changes: Sequence[Change], *, by: str | None) -> None:
        self._catalogue = after
        if changes:
            now = self._clock()
            self._journal.write(*(entry_of(one, now, by) for one in changes))
            self._journal.reply(Showing(self._board), after.menu)
