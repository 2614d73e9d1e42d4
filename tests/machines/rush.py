"""A rush of customers and baristas through several fronts, and its accounts.

Rule: the load and accounts of the torture (tests/system/load.py and history.py), but each request
goes to a front at random. A broken connection never counts as an answer: customers with a key and
baristas with a claim go on at another front. All rushes on a database share one `Accounts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random

import trio

from tests.machines.site import Site
from tests.system.history import History, broken_promises, violations
from tests.system.killing import MOST_SHOWN, db_check, read_to_the_end
from tests.system.load import Load, Record
from tests.system.shop import Shop
from tests.system.until import until, until_asked

WITH_KEY, WITHOUT_KEY, BARISTAS = 16, 16, 8
MANY = 20
"""The acknowledged changes of each kind that show that the shop works."""


@dataclass(slots=True)
class Accounts:
    """The answers to all clients of one database, from all processes."""

    record: Record = field(default_factory=Record)
    numbers: count[int] = field(default_factory=lambda: count(1))
    """The numbers of keys, so that no key is used for two orders."""


class Rush(Load):
    """All customers and baristas; each request goes to any of the fronts that run."""

    def __init__(
        self,
        nursery: trio.Nursery,
        chance: Random,
        fronts: Callable[[], Sequence[Shop]],
        accounts: Accounts,
    ) -> None:
        super().__init__(nursery, chance)
        self.record = accounts.record
        self._numbers = accounts.numbers
        self._fronts = fronts

    async def _current(self) -> Shop:
        while not (fronts := self._fronts()):  # noqa: ASYNC110 - a process has no event here
            await trio.sleep(0.01)
        return self._chance.choice(fronts)

    async def goes_on(self) -> None:
        """Wait until MANY more orders have been placed, started and finished."""
        before = self._counts()

        def are_all_more() -> bool:
            more = self._counts() - before
            return all(more[action] >= MANY for action in ("place", "start", "finish"))

        await until(are_all_more)

    def _counts(self) -> Counter[str]:
        return Counter(one.action for one in self.record.acknowledged)


@asynccontextmanager
async def rush_on(
    site: Site, accounts: Accounts, seed: int, *, most_between: float = 0.0
) -> AsyncGenerator[Rush]:
    """Run a rush during the block, which begins once orders are served; then check the accounts.

    It runs at full speed, or with up to `most_between` seconds between two orders of a customer.
    Raises AssertionError if anything that was acknowledged is lost or was done twice.
    """
    chance = Random(seed)  # noqa: S311 - repeatable, with the seed that a failure shows
    async with trio.open_nursery() as nursery:
        rush = Rush(nursery, chance, site.living_fronts, accounts)
        rush.most_between = most_between
        rush.start_baristas(BARISTAS)
        rush.start_customers(with_key=WITH_KEY, without_key=WITHOUT_KEY)
        await rush.goes_on()
        yield rush
        await rush.goes_on()
        await settle(site, rush)
        nursery.cancel_scope.cancel()


async def settle(site: Site, rush: Rush) -> History:
    """Wait until each customer is served, and compare the ledger with the answers.

    Raises AssertionError with what does not agree; returns the ledger's history.
    """
    await rush.drain()
    front = site.living_fronts()[0]

    async def is_nothing_left() -> bool:
        return not await front.orders()

    await until_asked(is_nothing_left)
    history = await read_to_the_end(site.database_url)
    broken = await trio.to_thread.run_sync(broken_promises, site.database_url)
    found = [*violations(history, rush.record, ()), *broken]
    assert not found, "\n".join([f"{len(found)} violations", *found[:MOST_SHOWN]])
    return history


async def assert_clean(site: Site) -> None:
    """Run `cafe db check` as an operator does; raises AssertionError for a finding."""
    assert await db_check(site.database_url) == 0
