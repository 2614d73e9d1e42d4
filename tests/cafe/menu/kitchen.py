"""A MenuKeeper in virtual time for tests, with its board, as the shop starts it.

Rule: the ledger is in memory and needs no threads; what is committed is read from the store.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import trio

from actors import ActorCrashed, Message, Ref, Restart, open_system
from cafe.ledger.checking import check
from cafe.ledger.database import Link
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import ask_in_time, load_when_refused
from cafe.menu.catalogue import Catalogue, ProductWish
from cafe.menu.department import MENU
from cafe.menu.keeper import MenuKeeper
from cafe.menu.messages import LoadMenu, ReadMenu
from cafe.menu.product import Board, Menu
from cafe.menu.queries import Stored, load_menu
from cafe.shop.shop import RESTART
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import open_ledger
from tests.cafe.orders.fragile import BugError

R = TypeVar("R")
TEA = ProductWish("tea", "Tea", base_price_cents=200)


@dataclass(frozen=True)
class CrashKeeper(Message["FragileKeeper", None]):
    """Crash the MenuKeeper."""


class FragileKeeper(MenuKeeper):
    """Crashes on request."""

    @CrashKeeper.handler
    def crash(self, _message: CrashKeeper) -> None:
        raise BugError


@dataclass
class Kitchen:
    """A running MenuKeeper, the board and the ledger."""

    ref: Ref[FragileKeeper]
    board: Board
    ledger: Ledger
    store: FaultyStore
    disk: Disk = field(default_factory=Disk)

    async def ask(self, message: Message[MenuKeeper, R]) -> R:
        """Ask as a route does; what is answered is on the board, and all of that is committed."""
        answer = await ask_in_time(self.ref, message)
        assert self.board.menu.products == committed(self.store).menu.products
        return answer

    async def crash(self) -> None:
        with suppress(ActorCrashed):
            await self.ref.ask(CrashKeeper())

    def names(self) -> list[str]:
        """Return the names of all products on the board."""
        return [one.name for one in self.board.menu.products]

    def actions(self) -> list[tuple[str, str]]:
        """Return the committed events that came after the first fill."""
        events = [one.event for one in self.store.logged if one.department == "menu"]
        return [(one.subject, one.action) for one in events][6:]

    def broken(self) -> list[str]:
        """Return the broken promises of the menu."""
        with Link.transaction(self.store.link, writing=False) as connection:
            promises = list(check(connection, [MENU]))
        return [str(promise) for promise in promises if promise.findings]


def committed(store: FaultyStore) -> Catalogue:
    """Return what the store has, also during an outage."""
    with Link.transaction(store.link, writing=False) as connection:
        return load_menu(connection).catalogue


@asynccontextmanager
async def open_kitchen(
    store: FaultyStore | None = None, disk: Disk | None = None, restart: Restart = RESTART
) -> AsyncGenerator[Kitchen]:
    """Open a system with a MenuKeeper, and wait until the board shows its menu."""
    store, disk = store or FaultyStore(), disk or Disk()
    async with (
        open_ledger(store, disk) as ledger,
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        board = Board()
        nothing = Stored(Catalogue(Menu()), is_new=False)
        load = partial(ledger.open_until_given_up, MENU, nothing)

        async def make() -> FragileKeeper:
            return FragileKeeper(board, ledger.now, load, await load())

        ref = await system.start(make, name="MenuKeeper", mailbox=10_000, restart=restart)
        nursery.start_soon(load_when_refused, ledger, MENU, ref, LoadMenu())
        await ref.ask(ReadMenu())
        yield Kitchen(ref, board, ledger, store, disk)
        nursery.cancel_scope.cancel()
