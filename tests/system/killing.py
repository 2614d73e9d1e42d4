"""A shop at full speed that is killed again and again, always opened on the same database.

Rule: the process gets SIGKILL at a random moment, by its handle. After a kill, once everybody who
has a key has his coffee and nothing is left to brew, the ledger is held against what was heard;
some kills come before that, while everybody is still coming back.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from math import inf
from random import Random
from typing import Any

import trio

from cafe.ledger.department import Department
from cafe.shop.departments import DEPARTMENTS
from tests.system.history import History, broken_promises, read, wrongs
from tests.system.shop import COMMAND, PATIENCE, POLL, Shop, environment, open_shop, until_asked
from tests.system.street import READY, Notes, Street

NO_LIMITS = {"limit_requests": 10**6, "limit_waiting": 10**5, "limit_connections": 10**5}
REGULARS, PASSERS_BY, BARISTAS = 60, 60, (4, 24)
LEASES = (0.3, 0.6, 1.5)
MOST_SHOWN = 20
CHECKED = 0.8
"""The share of kills after which all is brewed and checked before the next."""
FULL_SPEED = (0.2, 3.0)
"""Seconds between which a moment is drawn for a kill."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What came together."""

    kills: int = 0
    orders: int = 0
    keyed: int = 0
    """Coffees that customers with keys have got."""
    acknowledged: int = 0
    """Answers of 200 and 202 that told of something that had happened."""
    recovered: int = 0
    """Orders that were live when a shop was killed, and were brewed afterwards."""
    given_up: int = 0
    """Orders that were live when a shop was killed and whose customers went with it."""
    expired: int = 0
    """Leases that ran out."""
    refused: int = 0
    """Answers of 503."""

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        )

    def __str__(self) -> str:
        return ", ".join(f"{one.name} {getattr(self, one.name):,}" for one in fields(self))


async def play(
    url: str, *, kills: int, seed: int, tell: Callable[[int, Figures | None], object] | None = None
) -> Figures:
    """Kill a shop so often, and raise AssertionError where it has not kept its word.

    `tell` hears of each kill, with what has come together if it was checked.
    """
    chance = Random(seed)  # noqa: S311 - a draw, and the seed is told where it went wrong
    killed_at: list[float] = []
    figures = Figures()
    async with trio.open_nursery() as nursery:
        street = Street(nursery, chance)
        street.hire(chance.randint(*BARISTAS))
        for life in range(kills + 1):
            is_last = life == kills
            lease = chance.choice(LEASES)
            with open_until(None if is_last else signal.SIGKILL, url, lease) as shop:
                street.open(shop)
                found: Figures | None = None
                if is_last or (life and chance.random() < CHECKED):
                    found = figures = await check(shop, url, street, killed_at)
                if tell is not None and life:
                    tell(life, found)
                if is_last:
                    assert await db_check(url) == 0
                    nursery.cancel_scope.cancel()
                else:
                    street.invite(regulars=REGULARS, passers_by=PASSERS_BY)
                    await trio.sleep(chance.uniform(*FULL_SPEED))
                    killed_at.append(await kill(shop))
                    street.shut()
    return figures


def open_until(
    killed: signal.Signals | None, url: str, lease: float, program: Sequence[str] = COMMAND
) -> AbstractContextManager[Shop]:
    """Open a shop without limits, to be ended by this signal, or as usual."""
    settings: dict[str, Any] = {"database_url": url, "lease_seconds": lease, **NO_LIMITS}
    return open_shop(program=program, exit_code=-(killed or 0), **settings)


async def db_check(url: str) -> int:
    """Give the exit code of `cafe db check`, whose complaints everybody can see."""
    command = [sys.executable, "-m", "cafe", "db", "check"]
    ended = await trio.run_process(
        command, env=environment({"database_url": url}), capture_stdout=True, check=False
    )
    return ended.returncode


async def kill(shop: Shop) -> float:
    """End the process as the machine's trouble does, and give a time when it is dead."""
    shop.process.kill()
    await shop.ended()
    return time.time()


async def check(
    shop: Shop,
    url: str,
    street: Street,
    kills: list[float],
    departments: Iterable[Department[Any]] = DEPARTMENTS,
) -> Figures:
    """Have all coffees brewed, and make sure that all is as it was promised."""
    await street.empty()

    async def is_nothing_left() -> bool:
        return not await shop.orders()

    await until_asked(is_nothing_left)
    history = await read_to_the_end(url)
    broken = await trio.to_thread.run_sync(broken_promises, url, departments)
    found = [*wrongs(history, street.notes, kills), *broken]
    assert not found, "\n".join([f"{len(found)} are wrong", *found[:MOST_SHOWN]])
    return _figures(history, street.notes, kills)


async def read_to_the_end(url: str) -> History:
    """Read the tables once all has come there: a list of orders shows what is on its way, too."""
    with trio.fail_after(PATIENCE):
        while True:
            history = await trio.to_thread.run_sync(read, url)
            if not history.live_at(inf):
                return history
            await trio.sleep(POLL)


def _figures(history: History, notes: Notes, kills: list[float]) -> Figures:
    live = [order_id for at in kills for order_id in history.live_at(at)]
    brewed = sum(history.orders[order_id].status in READY for order_id in live)
    events = (event for events in history.events.values() for event in events)
    return Figures(
        kills=len(kills),
        orders=len(history.orders),
        keyed=len(notes.coffees),
        acknowledged=len({(one.order_id, one.action, one.at) for one in notes.heard}),
        recovered=brewed,
        given_up=len(live) - brewed,
        expired=sum(event.action == "expire" for event in events),
        refused=notes.refused.total(),
    )
