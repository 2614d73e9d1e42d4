"""A counter for tests: a Dispatcher in virtual time, and what customers and baristas do at it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from math import inf

import trio
import trio.testing

from actors import Ref, open_system
from cafe.clock import start_clock
from cafe.orders.dispatcher import Dispatcher, Rules
from cafe.orders.messages import Claim, FinishOrder, PlaceOrder, Standing, StartOrder
from cafe.orders.order import Action, Change, Order
from cafe.refusals import CafeRefusal

REGULAR = "192.0.2.1"


@dataclass
class Counter:
    """The Dispatcher's ref, and every change that it recorded."""

    ref: Ref[Dispatcher]
    changes: list[Change]

    def numbers(self, action: Action) -> list[int]:
        """Give the ticket numbers of the orders to which this happened, in that order."""
        return [change.order.number for change in self.changes if change.action is action]

    async def order(
        self, *, address: str = REGULAR, key: str | None = None, hold: float = inf, name: str = ""
    ) -> Standing:
        """Order, and wait."""
        message = PlaceOrder("americano", name or None, address, 400, key, hold)
        return await self.ref.ask(message)

    async def start(self, barista: str | None = None, hold: float = 0.0) -> Claim | None:
        """Claim the oldest order."""
        return await self.ref.ask(StartOrder(barista, hold))

    async def claimed(self, barista: str | None = None) -> Claim:
        """Claim the oldest order; there must be one."""
        claim = await self.start(barista)
        assert claim is not None
        return claim

    async def finish(self, claim: Claim) -> Order:
        """Declare it ready."""
        return await self.ref.ask(FinishOrder(claim.order.order_id))


@asynccontextmanager
async def open_counter(rules: Rules | None = None) -> AsyncGenerator[Counter]:
    """Open a system with one Dispatcher in it."""
    changes: list[Change] = []
    async with open_system() as system:
        factory = partial(Dispatcher, rules or Rules(), start_clock(), changes.append)
        ref = await system.start(factory, mailbox=10_000)
        yield Counter(ref, changes)


async def settled() -> None:
    """Let everybody do what can be done now."""
    await trio.testing.wait_all_tasks_blocked()


class Customer:
    """Orders in a task of his own, keeps what he is told, and can hang up."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.got: Standing | None = None
        self.refused: CafeRefusal | None = None
        self.scope = trio.CancelScope()

    async def come(self, key: str | None = None) -> None:
        with self.scope:
            try:
                self.got = await self.counter.order(key=key)
            except CafeRefusal as refusal:
                self.refused = refusal

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
