"""The menu at a front: a board of its own, which shows what the house's MenuKeeper has.

Rule: who changes the menu at this front finds it changed here at once; at others that takes a
moment.
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
    """Return whether an event changes what is on the board."""
    return logged.department == "menu"


def copied_menu(house: HouseClient, board: Board) -> tuple[Copy, Ref[MenuKeeper]]:
    """Return what keeps the board as the house has it, and a ref that refreshes it."""
    keeper = house.ref(MenuKeeper)

    async def load() -> None:
        board.show(Menu(await keeper.ask(ReadMenu())))

    copy = Copy(load, is_of_menu)
    return copy, CopyingRef(house, MenuKeeper, CHANGES, copy)
