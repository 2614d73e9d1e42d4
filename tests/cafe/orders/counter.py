"""A Dispatcher in virtual time for tests, with what customers and baristas ask of it.

Rule: it is started as the shop starts it, on a ledger in memory without threads, and each request
goes over a desk that checks the reply against the ledger.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf

import trio
import trio.testing

from actors import ActorCrashed, Ref, Restart, System, open_system
from cafe.http.refusals import CafeRefusal, Closing
from cafe.ledger.department import Logged, Put
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import Ledger, new_ledger, running
from cafe.ledger.retries import load_when_refused
from cafe.menu.catalogue import Catalogue
from cafe.menu.first import FIRST_MENU
from cafe.menu.keeper import new_id
from cafe.menu.product import Board, Menu
from cafe.orders.department import ORDERS
from cafe.orders.desk import load_ids_and_keys
from cafe.orders.dispatcher import Rules
from cafe.orders.holdings import Holdings
from cafe.orders.messages import (
    Claim,
    FinishOrder,
    LoadOrders,
    MoveOrder,
    PlaceOrder,
    PublishOrder,
    Standing,
    StartOrder,
    basket_order,
)
from cafe.orders.order import Action, Basket, Destination, Order, Status
from cafe.orders.queries import Snapshot
from cafe.orders.tables import order_of, orders
from cafe.shop.process import start_clock
from cafe.shop.shop import RESTART
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.ledger.order_histories import HARBOUR, basket
from tests.cafe.orders.checked_desk import CheckedDesk
from tests.cafe.orders.fragile import CrashDispatcher, FragileDispatcher

ADDRESS = "192.0.2.1"
BOARD = Board(Catalogue(Menu()).replace(FIRST_MENU, new_id)[0].menu)
"""The menu of a new shop."""
Loaded = tuple[Journal, Snapshot]


@dataclass
class Counter:
    """A running Dispatcher, the desk before it, the ledger, and every event that was committed."""

    ref: Ref[FragileDispatcher]
    logged: list[Logged]
    desk: CheckedDesk
    store: FaultyStore
    disk: Disk
    ledger: Ledger
    closing: Closing

    def numbers(self, action: Action) -> list[int]:
        """Return the ticket numbers of the orders to which this happened, in that order."""
        return [
            order_of(change.row).number
            for one in self.logged
            for change in one.changes
            if one.event.action == action and isinstance(change, Put) and change.table is orders
        ]

    def times(self, action: Action) -> list[float]:
        """Return the times at which this happened."""
        return [one.event.at for one in self.logged if one.event.action == action]

    async def order(
        self, *, address: str = ADDRESS, key: str | None = None, hold: float = inf, name: str = ""
    ) -> Standing:
        """Place an order and wait for it, `hold` seconds at most."""
        order_id = self.desk.ids.new()
        message = PlaceOrder(order_id, "americano", name or None, address, 400, key, bound=hold > 0)
        return await self.desk.place(message, hold)

    async def order_basket(
        self,
        wanted: Basket | None = None,
        *,
        key: str | None = None,
        order_id: str | None = None,
        address: str = ADDRESS,
        max_waiting: int = 400,
        destination: Destination | None = None,
    ) -> tuple[Standing, bool]:
        """Place a basket; also return whether it is new."""
        order_id = order_id or self.desk.ids.new()
        wanted = wanted or basket()
        message = basket_order(
            order_id, wanted, destination, address=address, max_waiting=max_waiting, key=key
        )
        return await self.desk.place_basket(message)

    async def placed(
        self,
        wanted: Basket | None = None,
        *,
        key: str | None = None,
        destination: Destination | None = None,
    ) -> Order:
        """Place a basket, which is new; return its order."""
        standing, is_new = await self.order_basket(wanted, key=key, destination=destination)
        assert is_new
        return standing.order

    async def publish(self, order_id: str | None = None, by: str | None = "Di") -> Order:
        """Publish what a courier brings, which may be a repetition."""
        message = PublishOrder(order_id or self.desk.ids.new(), "2 sandwiches", HARBOUR, by)
        return (await self.desk.publish(message)).order

    async def move(self, order_id: str, status: Status, by: str | None = None) -> Standing:
        """Move an order to the status that is next."""
        return await self.desk.move(MoveOrder(order_id, status, by))

    async def start(self, barista: str | None = None, hold: float = 0.0) -> Claim | None:
        """Claim the oldest order, if there is one within `hold` seconds."""
        return await self.desk.start(StartOrder(barista), hold)

    async def claimed(self, barista: str | None = None) -> Claim:
        """Claim the oldest order; there must be one."""
        claim = await self.start(barista)
        assert claim is not None
        return claim

    async def finish(self, claim: Claim) -> Order:
        """Declare the claimed order ready."""
        return await self.desk.finish(FinishOrder(claim.order.order_id))

    async def crash(self) -> None:
        """Crash the Dispatcher, and wait until it has crashed."""
        with suppress(ActorCrashed):
            await self.ref.ask(CrashDispatcher())


async def start_counter(  # noqa: PLR0917 - independent parts
    system: System,
    nursery: trio.Nursery,
    ledger: Ledger,
    store: FaultyStore,
    rules: Rules | None = None,
    restart: Restart = RESTART,
    *,
    holdings: Holdings | None = None,
) -> tuple[CheckedDesk, Closing]:
    """Start a Dispatcher as the shop does; the caller cancels the nursery at the end."""
    closing, held = Closing(), Holdings() if holdings is None else holdings
    ttl = (rules or Rules()).key_ttl_seconds
    ids, keys = await load_ids_and_keys(ledger, ttl)

    async def load() -> Loaded:
        return await ledger.open_until_given_up(ORDERS, Snapshot())

    async def make() -> FragileDispatcher:
        loaded = await load()
        return FragileDispatcher(rules or Rules(), ledger.now, load, loaded, closing, holdings=held)

    dispatcher = await system.start(make, name="Dispatcher", mailbox=10_000, restart=restart)
    nursery.start_soon(load_when_refused, ledger, ORDERS, dispatcher, LoadOrders())
    desk = CheckedDesk(ledger, ids, keys, ledger.now, ttl, dispatcher=dispatcher, store=store)
    return desk, closing


@asynccontextmanager
async def open_ledger(
    store: FaultyStore | None = None,
    disk: Disk | None = None,
    clock: Callable[[], float] | None = None,
) -> AsyncGenerator[Ledger]:
    """Open a ledger in memory that needs no threads."""
    disk = disk or Disk()
    ledger = new_ledger(store or FaultyStore(), clock or start_clock(), disk, disk)
    async with running(ledger, grace=5.0):
        yield ledger


@asynccontextmanager
async def open_counter(
    rules: Rules | None = None,
    *,
    store: FaultyStore | None = None,
    disk: Disk | None = None,
    restart: Restart = RESTART,
    clock: Callable[[], float] | None = None,
) -> AsyncGenerator[Counter]:
    """Open a system with a Dispatcher and its desk."""
    logged: list[Logged] = []
    store, disk = store or FaultyStore(), disk or Disk()
    async with (
        open_ledger(store, disk, clock) as ledger,
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        ledger.listen(logged.extend)
        desk, closing = await start_counter(system, nursery, ledger, store, rules, restart)
        yield Counter(desk.dispatcher, logged, desk, store, disk, ledger, closing)
        nursery.cancel_scope.cancel()


async def settled() -> None:
    """Wait until every task waits for something."""
    await trio.testing.wait_all_tasks_blocked()


class Customer:
    """Orders in a task of its own, keeps its reply, and can disconnect."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.got: Standing | None = None
        self.refused: CafeRefusal | None = None
        self.at = inf
        """When the reply came."""
        self.scope = trio.CancelScope()

    async def wait(self, key: str | None = None) -> None:
        """Place an order, and wait for the reply."""
        with self.scope:
            try:
                self.got = await self.counter.order(key=key)
            except CafeRefusal as refusal:
                self.refused = refusal
            self.at = trio.current_time()

    def disconnect(self) -> None:
        self.scope.cancel()


async def waiting_customers(
    counter: Counter, nursery: trio.Nursery, number: int, key: str | None = None
) -> list[Customer]:
    """Start customers that wait for their orders, one after the other."""
    customers = [Customer(counter) for _ in range(number)]
    for customer in customers:
        nursery.start_soon(customer.wait, key)
        await settled()
    return customers
