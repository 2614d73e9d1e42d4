"""The menu at a front: its own board, a copy of the house's.

Rule: a change that is made through this front is visible here at once, at other fronts a moment
later.
"""

from __future__ import annotations

from typing import Final

from actors import Ref
from cafe.bus.copies import Copy, CopyingRef
from cafe.bus.house_client import HouseClient
from cafe.ledger.department import Logged
from cafe.menu.keeper import MenuKeeper
from cafe.menu.messages import AddProduct, ChangeProduct, DeleteProduct, ReadMenu, ReplaceMenu
from cafe.menu.product import Board, Menu

CHANGES: Final = (AddProduct, ChangeProduct, DeleteProduct, ReplaceMenu)


def is_of_menu(logged: Logged) -> bool:
    """Return whether an event changes the menu."""
    return logged.department == "menu"


def copied_menu(house: HouseClient, board: Board) -> tuple[Copy, Ref[MenuKeeper]]:
    """Return a Copy that keeps the board like the house's, and a ref that refreshes it."""
    keeper = house.ref(MenuKeeper)

    async def load() -> None:
        board.show(Menu(await keeper.ask(ReadMenu())))

    copy = Copy(load, is_of_menu)
    return copy, CopyingRef(house, MenuKeeper, CHANGES, copy)
