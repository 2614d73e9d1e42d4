"""The department of the menu: its tables for the ledger, and what it offers to the shop.

Rule: the shop runs the task and serves the routes that are returned here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from actors import Ref
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.ledger.department import Department, transitions_of
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import load_when_refused
from cafe.menu.catalogue import TRANSITIONS, Action, Catalogue, Status
from cafe.menu.checks import CHECKS
from cafe.menu.customer_api import menu_routes
from cafe.menu.keeper import MenuKeeper
from cafe.menu.messages import CountProducts, LoadMenu, ReadMenu
from cafe.menu.product import Board, Menu
from cafe.menu.queries import Stored, load_menu
from cafe.menu.staff_api import manager_routes
from cafe.menu.tables import products, variations
from cafe.offer import Front, House, Offer

MENU: Final = Department(
    "menu",
    tables=(products, variations),
    load=load_menu,
    transitions=transitions_of(TRANSITIONS, {Action.ADD: Status.ON_MENU}),
    checks=CHECKS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuOffer(Offer):
    """The offer of the menu to the shop and other departments."""

    board: Board
    keeper: Ref[MenuKeeper]


async def open_menu(house: House) -> MenuOffer:
    """Start the MenuKeeper from the ledger, and return what the menu offers.

    Waits for the database without a time-out, and until the menu is on the board.
    """
    board = Board()
    keeper = await house.start(keeper_factory(board, house.ledger), name="MenuKeeper")
    with suppress(LedgerUnavailable):  # the shop closes already
        await keeper.ask(ReadMenu())
    return replace(
        menu_offer(keeper, board),
        answers=partial(keeper.ask, CountProducts()),
        tasks=(partial(load_when_refused, house.ledger, MENU, keeper, LoadMenu()),),
        refs=(keeper,),
    )


async def reach_menu(front: Front) -> MenuOffer:
    """Return what the menu offers at a front, once the house's menu is on its board."""
    from cafe.menu.front import copied_menu  # noqa: PLC0415 - not where there is no bus

    board = Board()
    copy, keeper = copied_menu(front.house, board)
    await copy.begin(front.house, front.ledger)
    return replace(menu_offer(keeper, board), serving=(copy.run,))


def keeper_factory(board: Board, ledger: Ledger) -> Callable[[], Awaitable[MenuKeeper]]:
    """Return a factory of MenuKeepers, for its start and each restart; waits for the database."""
    # If loading was given up, the MenuKeeper shows nothing and answers with refusals.
    nothing = Stored(Catalogue(Menu()), is_new=False)
    load = partial(ledger.open_until_given_up, MENU, nothing)

    async def make() -> MenuKeeper:
        return MenuKeeper(board, ledger.now, load, await load())

    return make


def menu_offer(keeper: Ref[MenuKeeper], board: Board) -> MenuOffer:
    """Return what the menu offers, given its owner and its board."""
    return MenuOffer(
        name="menu",
        customer_routes=(menu_routes(board),),
        staff_routes=(menu_routes(board, BARISTAS_ONLY), manager_routes(keeper, board)),
        board=board,
        keeper=keeper,
    )
