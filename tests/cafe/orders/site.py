"""A house and fronts in one process and in virtual time, over a bus in memory.

Rule: each end is made as its process makes it. A house that fails over leaves what it has
committed, and the next one begins with that, in a higher term.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from random import Random
from typing import Any, cast

import trio

from actors import ActorCrashed, Restart, open_system
from cafe.bus.answering import Answering
from cafe.bus.following_ledger import FollowingLedger
from cafe.bus.house_client import HouseClient, open_house_client
from cafe.bus.invoking import askable_of
from cafe.http.refusals import CafeRefusal, Closing
from cafe.ledger.log import read_page
from cafe.orders.department import READ_AT_FRONTS, leave_front
from cafe.orders.desk import Desk
from cafe.orders.dispatcher import Rules
from cafe.orders.front import DispatcherAtFront
from cafe.orders.front_copies import copied_board, copied_ids, copied_keys
from cafe.orders.holdings import Holdings
from cafe.orders.messages import Claim, FinishOrder, PlaceOrder, Standing, StartOrder
from cafe.orders.order import Order, Status
from cafe.orders.ready_board import ReadyBoard
from cafe.orders.tables import keys, orders
from cafe.shop.process import start_clock
from tests.cafe.bus.memory_bus import Faults, Memory, MemoryBus
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import ADDRESS, Counter, open_ledger, start_counter

TTL = 86_400.0
BAN_SECONDS = 60.0
PATIENT = Restart(limit=1_000, backoff=0.01, longest=0.1, jitter=0)
HOUSE = Rules(has_fronts=True)


@dataclass
class FrontHere:
    """A front: its client of the house, what it asks by, and whether it is closing."""

    house: HouseClient
    ledger: FollowingLedger
    dispatcher: DispatcherAtFront
    desk: Desk
    board: ReadyBoard
    closing: Closing
    scope: trio.CancelScope

    async def order(self, key: str | None = None, hold: float = inf) -> Standing:
        """Place an order and wait for it, `hold` seconds at most."""
        order_id = self.desk.ids.new()
        message = PlaceOrder(order_id, "americano", None, ADDRESS, 4_000, key, bound=hold > 0)
        return await self.desk.place(message, hold)

    async def start(self, hold: float = 0.0, claim: str | None = None) -> Claim | None:
        """Claim the oldest order, if there is one within `hold` seconds."""
        wish = StartOrder("Bo")
        if claim is not None:
            wish = replace(wish, claim=claim, keyed=True)
        return await self.desk.start(wish, hold)

    async def claimed(self) -> Claim:
        """Claim the oldest order; there must be one."""
        claim = await self.start()
        assert claim is not None
        return claim

    async def brew(self) -> Order:
        """Start and finish the oldest order."""
        claim = await self.claimed()
        return await self.desk.finish(FinishOrder(claim.order.order_id))


@dataclass
class Site:
    """All processes of one shop, on one bus."""

    memory: Memory
    nursery: trio.Nursery
    rules: Rules
    store: FaultyStore = field(default_factory=FaultyStore)
    term: int = 0
    disk: Disk = field(default_factory=Disk)
    holdings: Holdings = field(default_factory=Holdings)
    """Of the house that is open."""
    _house: trio.CancelScope = field(default_factory=trio.CancelScope)
    _ended: trio.Event = field(default_factory=trio.Event)

    async def open_house(self) -> Counter:
        """Open a house on what the one before has committed."""
        self.term += 1
        counter: Counter = await self.nursery.start(self._run_house)
        return counter

    async def fail_over(self, away: float = 0.0) -> Counter:
        """Kill the house, and open the next one after so many seconds."""
        store = self.store.survivor()
        self._house.cancel()
        await self._ended.wait()
        self.store = store
        await trio.sleep(away)
        return await self.open_house()

    async def open_front(self) -> FrontHere:
        """Open a front."""
        front: FrontHere = await self.nursery.start(self._run_front)
        return front

    def of(self, status: Status) -> list[Order]:
        """Return the orders that stand so, as they are committed."""
        return [one for one in self.store.orders.values() if one.status is status]

    async def _run_house(self, task_status: trio.TaskStatus[Counter]) -> None:
        bus, term, store = MemoryBus(self.memory, self.nursery), self.term, self.store
        self._ended, self.holdings = trio.Event(), Holdings()
        with trio.CancelScope() as self._house:
            async with (
                open_ledger(store, self.disk) as ledger,
                open_system() as system,
                trio.open_nursery() as nursery,
            ):
                rules = self.rules
                desk, closing = await start_counter(
                    system, nursery, ledger, store, rules, PATIENT, holdings=self.holdings
                )
                ref = desk.dispatcher
                asked = askable_of([ref], [read_page, *READ_AT_FRONTS], {})
                gone = cast("Any", partial(leave_front, cast("Any", ref)))
                answering = Answering(bus, lambda: term, asked, ledger, gone)
                nursery.start_soon(answering.run)
                made = Counter(ref, [], desk, store, self.disk, ledger, closing)
                task_status.started(made)
                await trio.sleep_forever()
        self._ended.set()

    async def _run_front(self, task_status: trio.TaskStatus[FrontHere]) -> None:
        bus = MemoryBus(self.memory, self.nursery)
        with trio.CancelScope() as scope:
            async with open_house_client(bus) as house, trio.open_nursery() as nursery:
                ledger = FollowingLedger(house, start_clock(), [orders, keys])
                nursery.start_soon(ledger.run)
                await ledger.begin()
                closing = Closing()
                dispatcher = DispatcherAtFront(house, ledger, closing, BAN_SECONDS)
                nursery.start_soon(dispatcher.run)
                ids, kept = await copied_ids(ledger), await copied_keys(ledger, TTL)
                desk = Desk(dispatcher, ledger, ids, kept, ledger.now, TTL)
                board = await copied_board(ledger)
                task_status.started(
                    FrontHere(house, ledger, dispatcher, desk, board, closing, scope)
                )
                await trio.sleep_forever()


@asynccontextmanager
async def open_site(
    rules: Rules = HOUSE, faults: Faults | None = None, seed: int = 0
) -> AsyncGenerator[Site]:
    """Open a bus, without any process on it."""
    memory = Memory(Random(seed), faults or Faults())  # noqa: S311 - no secret
    async with trio.open_nursery() as nursery:
        yield Site(memory, nursery, rules)
        nursery.cancel_scope.cancel()


class Guest:
    """Orders at a front in a task of its own, keeps the reply, and can disconnect."""

    def __init__(self, front: FrontHere) -> None:
        self.front = front
        self.got: Standing | None = None
        self.refused: CafeRefusal | None = None
        self.has_crashed = False
        self.scope = trio.CancelScope()
        self.is_waiting = True

    async def wait(self, key: str | None = None, hold: float = inf) -> None:
        """Place an order, and wait for the reply."""
        with self.scope:
            try:
                self.got = await self.front.order(key, hold)
            except CafeRefusal as refusal:
                self.refused = refusal
            except ActorCrashed:
                self.has_crashed = True
        self.is_waiting = False

    def disconnect(self) -> None:
        self.scope.cancel()

    @property
    def is_ready(self) -> bool:
        return self.got is not None and self.got.order.status in (Status.READY, Status.DELIVERED)


async def seated(
    front: FrontHere, nursery: trio.Nursery, number: int, key: str | None = None
) -> list[Guest]:
    """Start guests that wait for their orders, and wait until those are placed."""
    guests = [Guest(front) for _ in range(number)]
    for guest in guests:
        nursery.start_soon(guest.wait, key)
    await trio.sleep(2.0)
    return guests


async def brew_all(front: FrontHere, tries: int = 3) -> int:
    """Brew until none waits, through fail-overs; return how many were brewed."""
    brewed = 0
    while tries:
        claim = None
        with suppress(Exception):
            claim = await front.start()
        if claim is None:
            tries -= 1
            await trio.sleep(1.0)
            continue
        await front.desk.finish(FinishOrder(claim.order.order_id))
        brewed += 1
    return brewed
