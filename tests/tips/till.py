"""Tips beside a Dispatcher on one ledger, in virtual time, and what must hold at the end.

Rule: the sums that baristas must have are computed from the orders' events and the tips alone,
without any code of the department.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import trio
from sqlalchemy import Connection, select

from actors import ActorCrashed, Message, Ref, Restart, open_system
from cafe.ledger.checking import check
from cafe.ledger.database import Link
from cafe.ledger.department import Logged
from cafe.orders.department import ORDERS
from cafe.orders.dispatcher import Rules
from cafe.shop.shop import RESTART
from docs.examples.tips.department import TIPS
from docs.examples.tips.jar import TipJar
from docs.examples.tips.messages import AwaitPosition, GiveTip
from docs.examples.tips.tables import metadata, tip_of, tips, totals
from docs.examples.tips.tip import Tip, TipBook
from docs.examples.tips.tips import Tips, follow_orders, until_done
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import Counter, open_counter
from tests.cafe.orders.fragile import BugError

DEPARTMENTS = (ORDERS, TIPS)
T = TypeVar("T")
MAILBOX = 10_000


@dataclass(frozen=True)
class CrashTips(Message["FragileTips", None]):
    """Crash, between two turns or in the middle of the next one that applies events."""

    in_a_turn: bool = False


class FragileTips(Tips):
    """Tips that crash on request."""

    _crashes = False

    @CrashTips.handler
    def crash(self, message: CrashTips) -> None:
        if not message.in_a_turn:
            raise BugError
        self._crashes = True

    async def _take_in(self, book: TipBook, events: list[Logged], last: int) -> None:
        if self._crashes:
            raise BugError
        await super()._take_in(book, events, last)


@dataclass
class Till:
    """A counter with the actor of the tips beside its Dispatcher."""

    counter: Counter
    tips: Ref[FragileTips]
    jar: TipJar

    @property
    def store(self) -> FaultyStore:
        return self.counter.store

    async def give(self, order_id: str, cents: int = 50, tip_id: str | None = None) -> Tip:
        """Give a tip; by default under the id of its order."""
        return await self.jar.give(GiveTip(tip_id or f"for-{order_id}", order_id, cents))

    async def crash(self, *, in_a_turn: bool = False) -> None:
        with suppress(ActorCrashed):
            await self.tips.ask(CrashTips(in_a_turn))


@asynccontextmanager
async def open_till(
    store: FaultyStore | None = None,
    *,
    disk: Disk | None = None,
    rules: Rules | None = None,
    restart: Restart = RESTART,
    clock: Callable[[], float] | None = None,
) -> AsyncGenerator[Till]:
    """Open a counter with tips, as the shop does; make their tables if the store has none."""
    store = store or FaultyStore()
    with Link.transaction(store.link, writing=True) as connection:
        metadata.create_all(connection)
    async with (
        open_counter(rules, store=store, disk=disk, restart=restart, clock=clock) as counter,
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        ledger = counter.ledger

        async def make() -> FragileTips:
            return FragileTips(ledger, await ledger.open(TIPS))

        tips_ref = await system.start(make, name="Tips", mailbox=MAILBOX, restart=restart)
        nursery.start_soon(follow_orders, tips_ref, ledger)
        yield Till(counter, tips_ref, TipJar(tips_ref, ledger))
        nursery.cancel_scope.cancel()


def looked_up(store: FaultyStore, query: Callable[[Connection], T]) -> T:
    """Return the result of a query of what is committed, also during an outage."""
    with Link.transaction(store.link, writing=False) as connection:
        return query(connection)


def tips_in(store: FaultyStore) -> dict[str, Tip]:
    """Return every tip, by its id."""
    rows = looked_up(store, lambda connection: connection.execute(select(tips)).all())
    return {row.tip_id: tip_of(row) for row in rows}


def totals_in(store: FaultyStore) -> dict[str, int]:
    """Return the sum of each barista in the table of totals."""
    rows = looked_up(store, lambda connection: connection.execute(select(totals)).all())
    return {row.barista: row.cents for row in rows}


def earned_in(store: FaultyStore) -> dict[str, int]:
    """Return the sum that each barista must have."""
    orders = [one.event for one in store.logged if one.department == "orders"]
    return earned_by(orders, tips_in(store).values())


def earned_by(events: Iterable[Any], given: Iterable[Tip]) -> dict[str, int]:
    """Return the sum that each barista must have for the orders of these events."""
    starter, earner = dict[str, str](), dict[str, str]()
    for event in events:
        if event.action == "start":
            starter[event.subject] = event.by or ""
        elif event.action in {"finish", "finish late"}:
            earner[event.subject] = event.by or starter[event.subject]
    earned: dict[str, int] = defaultdict(int)
    for tip in given:
        if tip.order_id in earner:
            earned[earner[tip.order_id]] += tip.cents
    return dict(earned)


def wrong_in(store: FaultyStore) -> list[str]:
    """Return the promises that `cafe db check` would report as broken, of both departments."""
    promises = looked_up(store, lambda connection: list(check(connection, DEPARTMENTS)))
    return [str(promise) for promise in promises if promise.findings]


async def caught_up(till: Till) -> None:
    """Wait until each committed event is applied."""
    await till.counter.ledger.wait_written()
    position = till.counter.ledger.statistics().position
    await until_done(partial(till.tips.ask, AwaitPosition(position)))
