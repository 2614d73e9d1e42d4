"""Payments beside a Dispatcher on one ledger, in virtual time, with a provider that can fail.

Rule: everything is started as the shop starts it; only the calls of the provider are the world's.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import trio
from prometheus_client import CollectorRegistry, Histogram
from sqlalchemy import Connection, select

from actors import ActorCrashed, Message, Ref, Restart, open_system
from cafe.delivery.messages import Coverage, District
from cafe.ledger.checking import check
from cafe.ledger.database import Link
from cafe.ledger.following import Followed
from cafe.ledger.retries import load_when_refused
from cafe.menu.messages import Board, Menu, Product, Variation
from cafe.orders.department import ORDERS
from cafe.orders.dispatcher import Rules as OrderRules
from cafe.payments.calls import charging, place_orders, refunding, work_lane
from cafe.payments.cashier import Cashier, Rules
from cafe.payments.department import PAYMENTS
from cafe.payments.followers import follow_orders
from cafe.payments.messages import Lane, LoadPayments
from cafe.payments.payment import Payment
from cafe.payments.pricing import Delivery, Item, fingerprint
from cafe.payments.queries import Snapshot
from cafe.payments.tables import payment_of, payments
from cafe.payments.till import Ordered, Till, Wish
from cafe.shop.shop import RESTART
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import Counter, open_counter
from tests.cafe.orders.fragile import BugError
from tests.cafe.payments.world import Mood, World

T = TypeVar("T")
DEPARTMENTS = (ORDERS, PAYMENTS)
MENU = Menu(
    [
        Product(
            "latte",
            "Latte",
            "with milk",
            "coffee",
            1,
            400,
            sold_out=False,
            variations=(Variation("vanilla", "Vanilla", 30), Variation("plain", "Plain", -400)),
        ),
        Product("tea", "Tea", "hot", "tea", 2, 250, sold_out=True),
        Product("water", "Water", "tap", "cold", 3, 0, sold_out=False),
    ]
)
LATTE = (Item("latte", "vanilla", 2),)
WATER = (Item("water", None, 1),)
HARBOUR, HILLS = District("harbour", "Harbour"), District("hills", "Hills")
TO_HARBOUR = Delivery("harbour", "1 Quay Street")
ADA, BO = "account-ada", "account-bo"
ADDRESS = "192.0.2.7"


@dataclass(frozen=True, slots=True)
class CrashCashier(Message["FragileCashier", None]):
    """Crash the Cashier."""


class FragileCashier(Cashier):
    """A Cashier that crashes on request."""

    @CrashCashier.handler
    def crash(self, _message: CrashCashier) -> None:
        raise BugError


@dataclass
class Rig:
    """A counter with the Cashier beside its Dispatcher."""

    counter: Counter
    cashier: Ref[FragileCashier]
    till: Till
    world: World

    @property
    def store(self) -> FaultyStore:
        return self.counter.store

    async def order(
        self,
        items: tuple[Item, ...] = LATTE,
        *,
        key: str | None = None,
        account_id: str = ADA,
        total_cents: int | None = None,
        address: str = ADDRESS,
        delivery: Delivery | None = None,
    ) -> Ordered:
        """Order a basket."""
        same = fingerprint(items, None, total_cents, delivery)
        wish = Wish(account_id, address, 400, items, same, None, total_cents, key, delivery)
        return await self.till.order(wish)

    async def crash(self) -> None:
        """Crash the Cashier, and wait until it has crashed."""
        with suppress(ActorCrashed):
            await self.cashier.ask(CrashCashier())

    async def followed(self) -> None:
        """Wait until all effects of what is written now are committed."""
        ledger = self.counter.ledger
        await ledger.wait_written()
        await self.till.followed.wait(ledger.statistics().position)


@asynccontextmanager
async def open_rig(
    world: World,
    store: FaultyStore | None = None,
    *,
    rules: OrderRules | None = None,
    restart: Restart = RESTART,
    clock: Callable[[], float] | None = None,
    charges: bool = True,
    disk: Disk | None = None,
    menu: Menu = MENU,
    callers: int = 20,
) -> AsyncGenerator[Rig]:
    """Open a counter with payments, as the shop does."""
    async with (
        open_counter(rules, store=store, disk=disk, restart=restart, clock=clock) as counter,
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        ledger, closing = counter.ledger, counter.closing
        load = partial(ledger.open_until_given_up, PAYMENTS, Snapshot())

        async def make() -> FragileCashier:
            return FragileCashier(Rules(), ledger.now, load, await load(), closing, lambda: 0.5)

        cashier = await system.start(make, name="Cashier", mailbox=10_000, restart=restart)
        followed = Followed()
        seconds = Histogram("seconds", "x", ("call",), registry=CollectorRegistry())
        for task in (
            partial(follow_orders, cashier, ledger, followed),
            partial(place_orders, cashier, counter.desk, ledger.now),
            partial(load_when_refused, ledger, PAYMENTS, cashier, LoadPayments()),
        ):
            nursery.start_soon(task)
        if charges:
            work = charging(world.charge, seconds)
            nursery.start_soon(work_lane, cashier, Lane.CHARGE, work, callers)
        nursery.start_soon(work_lane, cashier, Lane.REFUND, refunding(world.refund, seconds), 20)
        coverage = Coverage()
        coverage.show((HARBOUR, HILLS), {HARBOUR.district_id})
        board, desk = Board(menu), counter.desk

        async def has_provider() -> bool:
            return charges

        till = Till(cashier, desk, board, coverage, ledger, followed, has_provider, True)
        yield Rig(counter, cashier, till, world)
        nursery.cancel_scope.cancel()


def looked_up(store: FaultyStore, query: Callable[[Connection], T]) -> T:
    """Return the result of a query of what is committed, also during an outage."""
    with Link.transaction(store.link, writing=False) as connection:
        return query(connection)


def payments_in(store: FaultyStore) -> list[Payment]:
    """Return every payment, in the sequence of their intents."""
    query = select(*payments.c).order_by(payments.c.intended_at)
    return [
        payment_of(row)
        for row in looked_up(store, lambda connection: connection.execute(query).all())
    ]


def wrong_in(store: FaultyStore) -> list[str]:
    """Return the promises that `cafe db check` would report as broken, of both departments."""
    promises = looked_up(store, lambda connection: list(check(connection, DEPARTMENTS)))
    return [
        f"{promise.sentence}: {json.dumps([str(one) for one in promise.findings])}"
        for promise in promises
        if promise.findings
    ]


@asynccontextmanager
async def rigged(store: FaultyStore | None = None, **options: object) -> AsyncGenerator[Rig]:
    """Open a rig with a world of its own; at the end no promise is broken."""
    async with trio.open_nursery() as nursery:
        world = World(nursery)
        async with open_rig(world, store, **options) as rig:  # type: ignore[arg-type] # as given
            yield rig
            rig.world.mood = Mood()
            await rig.followed()
            assert wrong_in(rig.store) == []
        nursery.cancel_scope.cancel()


def the_only(rig: Rig) -> Payment:
    """Return the one payment that there is."""
    (payment,) = payments_in(rig.store)
    return payment
