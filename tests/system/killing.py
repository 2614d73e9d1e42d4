"""A shop under load that is killed and restarted on the same database, again and again.

Rule: the process gets SIGKILL at a random moment, by its handle. After a restart, once each
customer with a key has been served and no order is left, the ledger is compared with what clients
were answered; some kills come before that, while clients still retry.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, fields
from math import inf
from random import Random
from typing import Any

import httpx
import trio

from tests.system import warm
from tests.system.history import History, broken_promises, read, violations
from tests.system.load import READY, Load, Record
from tests.system.shop import Line, Shop, environment, open_shop
from tests.system.until import POLL, TIMEOUT, until_asked

Task = Callable[[], Awaitable[object]]
NO_LIMITS = {"limit_requests": 10**6, "limit_waiting": 10**5, "limit_connections": 10**5}
WITH_KEY, WITHOUT_KEY, BARISTAS = 60, 60, (4, 24)
LEASES = (0.3, 0.6, 1.5)
MOST_SHOWN = 20
CHECKED = 0.8
"""The share of kills after which all orders are brewed and checked before the next kill."""
FULL_SPEED = (0.2, 3.0)
"""Least and most seconds from the start of the load to a kill."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What all processes of a shop did."""

    kills: int = 0
    orders: int = 0
    keyed: int = 0
    """Customers with keys."""
    acknowledged: int = 0
    """Changes that a 200 or 202 acknowledged."""
    recovered: int = 0
    """Orders that were live at a kill, and were brewed afterwards."""
    given_up: int = 0
    """Orders that were live at a kill, and whose customers lost their connection with it."""
    expired: int = 0
    """Leases that expired."""
    refused: int = 0
    """Answers of 503."""

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def __str__(self) -> str:
        return ", ".join(f"{one.name} {getattr(self, one.name):,}" for one in fields(self))


async def kill_repeatedly(
    url: str,
    *,
    kills: int,
    seed: int,
    report: Callable[[int, Totals | None], object] | None = None,
) -> Totals:
    """Kill and restart a shop so often; raise AssertionError if it breaks a promise.

    `report` is called after each kill, with the totals so far if the ledger was checked.
    """
    chance = Random(seed)  # noqa: S311 - repeatable, with the seed that a failure shows
    killed_at: list[float] = []
    totals = Totals()
    async with trio.open_nursery() as nursery:
        load = Load(nursery, chance)
        load.start_baristas(chance.randint(*BARISTAS))
        for number in range(kills + 1):
            is_last = number == kills
            lease = chance.choice(LEASES)
            with open_until(None if is_last else signal.SIGKILL, url, lease) as shop:
                load.use(shop)
                checked: Totals | None = None
                if is_last or (number and chance.random() < CHECKED):
                    checked = totals = await check(shop, url, load, killed_at)
                if report is not None and number:
                    report(number, checked)
                if is_last:
                    assert await db_check(url) == 0
                    nursery.cancel_scope.cancel()
                else:
                    load.start_customers(with_key=WITH_KEY, without_key=WITHOUT_KEY)
                    await trio.sleep(chance.uniform(*FULL_SPEED))
                    killed_at.append(await kill(shop))
                    load.pause()
    return totals


def open_until(
    killed: signal.Signals | None, url: str, lease: float
) -> AbstractContextManager[Shop]:
    """Open a shop without limits, which is to be killed by this signal, or stopped as usual."""
    settings: dict[str, Any] = {"database_url": url, "lease_seconds": lease, **NO_LIMITS}
    return open_shop(exit_code=-(killed or 0), **settings)


async def db_check(url: str) -> int:
    """Return the exit code of `cafe db check`; what it prints on stderr is shown."""
    variables = environment({"database_url": url})
    ended = await trio.to_thread.run_sync(warm.run, ("db", "check"), variables)
    sys.stderr.write(ended.stderr)
    return ended.returncode


async def kill(shop: Shop) -> float:
    """Kill the process; return a time at which it has ended."""
    shop.process.kill()
    await shop.ended()
    return time.time()


async def run_until_killed(shop: Shop, tasks: Iterable[Task], seconds: float) -> None:
    """Run tasks that call the shop for ever, and kill it after so many seconds."""
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(_until_it_is_gone, task)
        await trio.sleep(seconds)
        await kill(shop)
        nursery.cancel_scope.cancel()


async def _until_it_is_gone(task: Task) -> None:
    with suppress(httpx.HTTPError):
        await task()


async def pause(chance: Random, most: float) -> None:
    """Wait for at most so many seconds."""
    await trio.sleep(chance.uniform(0.0, most))


def taken(response: httpx.Response, wrong: list[str], *expected: int) -> Line | None:
    """Return what was answered, or None where it was refused.

    A refusal that is neither a conflict, nor the ledger's, nor `expected` is noted in `wrong`.
    """
    if response.is_success:
        answered: Line = response.json()
        return answered
    refused = {httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE, *expected}
    if response.status_code not in refused:
        wrong.append(f"{response.url.path}: {response.status_code} {response.text}")
    return None


async def check(shop: Shop, url: str, load: Load, kills: list[float]) -> Totals:
    """Drain the load, and raise AssertionError if a promise is broken; return the totals."""
    await load.drain()

    async def is_nothing_left() -> bool:
        return not await shop.orders()

    await until_asked(is_nothing_left)
    history = await read_to_the_end(url)
    broken = await trio.to_thread.run_sync(broken_promises, url)
    found = [*violations(history, load.record, kills), *broken]
    assert not found, "\n".join([f"{len(found)} violations", *found[:MOST_SHOWN]])
    return _totals(history, load.record, kills)


async def read_to_the_end(url: str) -> History:
    """Read the tables until no order is live: `GET /orders` is ahead of the commits."""
    with trio.fail_after(TIMEOUT):
        while True:
            history = await trio.to_thread.run_sync(read, url)
            if not history.live_at(inf):
                return history
            await trio.sleep(POLL)


def _totals(history: History, record: Record, kills: list[float]) -> Totals:
    live = [order_id for at in kills for order_id in history.live_at(at)]
    brewed = sum(history.orders[order_id].status in READY for order_id in live)
    events = (event for events in history.events.values() for event in events)
    return Totals(
        kills=len(kills),
        orders=len(history.orders),
        keyed=len(record.orders),
        acknowledged=len({(one.order_id, one.action, one.at) for one in record.acknowledged}),
        recovered=brewed,
        given_up=len(live) - brewed,
        expired=sum(event.action == "expire" for event in events),
        refused=record.refused.total(),
    )
