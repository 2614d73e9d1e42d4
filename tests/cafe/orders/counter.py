"""A counter for tests: a Dispatcher in virtual time, and what customers and baristas do at it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from math import inf

import trio
import trio.testing

from actors import ActorCrashed, Ref, Restart, Strategy, System, open_system
from cafe.clock import start_clock
from cafe.courier import carry_records
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import Claim, FinishOrder, PlaceOrder, Standing, StartOrder
from cafe.orders.order import Action, Change, Order
from cafe.refusals import CafeRefusal
from tests.cafe.ledger.fakes import Disk, MemoryStore
from tests.cafe.orders.fragile import (
    CrashDispatcher,
    CrashLedger,
    FragileDispatcher,
    FragileLedger,
)
from tests.cafe.orders.witness import WitnessedDesk

REGULAR = "192.0.2.1"


@dataclass
class Counter:
    """The Dispatcher's ref, every change that it recorded, and what the ledger has of them."""

    ref: Ref[FragileDispatcher]
    changes: list[Change]
    desk: WitnessedDesk
    store: MemoryStore
    disk: Disk
    ledger: Ref[FragileLedger]

    def numbers(self, action: Action) -> list[int]:
        """Give the ticket numbers of the orders to which this happened, in that order."""
        return [change.order.number for change in self.changes if change.action is action]

    async def order(
        self, *, address: str = REGULAR, key: str | None = None, hold: float = inf, name: str = ""
    ) -> Standing:
        """Order, and wait."""
        message = PlaceOrder("americano", name or None, address, 400, key, hold)
        return await self.desk.place(message)

    async def start(self, barista: str | None = None, hold: float = 0.0) -> Claim | None:
        """Claim the oldest order."""
        return await self.desk.start(StartOrder(barista, hold))

    async def claimed(self, barista: str | None = None) -> Claim:
        """Claim the oldest order; there must be one."""
        claim = await self.start(barista)
        assert claim is not None
        return claim

    async def finish(self, claim: Claim) -> Order:
        """Declare it ready."""
        return await self.desk.finish(FinishOrder(claim.order.order_id))

    async def crash(self) -> None:
        """Have the Dispatcher crash, and wait until it has."""
        with suppress(ActorCrashed):
            await self.ref.ask(CrashDispatcher())

    async def crash_ledger(self) -> None:
        """Have the Ledger crash, and wait until it has."""
        with suppress(ActorCrashed):
            await self.ledger.ask(CrashLedger())


async def start_books(  # noqa: PLR0917 - each by itself
    system: System,
    nursery: trio.Nursery,
    rules: Rules | None = None,
    record: Callable[[Change], None] = lambda _change: None,
    store: MemoryStore | None = None,
    disk: Disk | None = None,
    restart: Restart | None = None,
    clock: Callable[[], float] | None = None,
) -> WitnessedDesk:
    """Start a Ledger, a Dispatcher and the courier between them; cancel the nursery at the end."""
    clock = clock or start_clock()
    store, restart = store or MemoryStore(), restart or Restart()
    books = system.group(Strategy.REST_FOR_ONE, name="books")
    ledger = await books.start(
        partial(FragileLedger, store, clock, runner=disk or Disk()),
        name="Ledger",
        mailbox=10_000,
        restart=restart,
    )
    dispatcher = await books.start(
        lambda: FragileDispatcher(rules or Rules(), clock, record, store.load()),
        name="Dispatcher",
        mailbox=10_000,
        restart=restart,
    )
    nursery.start_soon(carry_records, dispatcher, ledger)
    return WitnessedDesk(dispatcher, ledger, store)


@asynccontextmanager
async def open_counter(
    rules: Rules | None = None,
    *,
    store: MemoryStore | None = None,
    disk: Disk | None = None,
    restart: Restart | None = None,
    clock: Callable[[], float] | None = None,
) -> AsyncGenerator[Counter]:
    """Open a system with a counter in it."""
    changes: list[Change] = []
    store, disk, restart = store or MemoryStore(), disk or Disk(), restart or Restart(limit=100)
    async with open_system() as system, trio.open_nursery() as nursery:
        desk = await start_books(
            system, nursery, rules, changes.append, store, disk, restart, clock
        )
        yield Counter(desk.dispatcher, changes, desk, store, disk, desk.ledger)
        nursery.cancel_scope.cancel()


async def settled() -> None:
    """Let everybody do what can be done now."""
    await trio.testing.wait_all_tasks_blocked()


class Customer:
    """Orders in a task of his own, keeps what he is told, and can hang up."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.got: Standing | None = None
        self.refused: CafeRefusal | None = None
        self.at = inf
        """When he was told."""
        self.scope = trio.CancelScope()

    async def come(self, key: str | None = None) -> None:
        with self.scope:
            try:
                self.got = await self.counter.order(key=key)
            except CafeRefusal as refusal:
                self.refused = refusal
            self.at = trio.current_time()

    def hang_up(self) -> None:
        self.scope.cancel()


async def waiting_customers(
    counter: Counter, nursery: trio.Nursery, number: int, key: str | None = None
) -> list[Customer]:
    customers = [Customer(counter) for _ in range(number)]
    for customer in customers:
        nursery.start_soon(customer.come, key)
        await settled()
    return customers
