"""A shop that is killed at full speed while it notifies: no event is left out or told twice.

Rule: a receiver takes whatever comes and remembers it, as those that are told do. At the end it has
been told what the orders' events say, each under one id.
"""

from __future__ import annotations

import signal
from collections import defaultdict
from functools import partial
from pathlib import Path
from random import Random

import pytest
import trio
from sqlalchemy import func, select

from cafe.ledger.checking import open_reader
from cafe.ledger.tables import events
from cafe.notifications.notification import State
from cafe.notifications.tables import notifications
from tests.cafe.notifications.receiver import SocketReceiver, open_receiver
from tests.system.killing import NO_LIMITS, db_check, run_until_killed
from tests.system.notifying import open_notified, place, staff
from tests.system.shop import Shop
from tests.system.until import until_asked

pytestmark = pytest.mark.once

CUSTOMERS, BARISTAS = 4, 3
UNTIL_KILLED = (0.3, 1.5)
LEASE = 0.5


async def order(shop: Shop, placed: list[str], chance: Random) -> None:
    """Place one basket after the other; note those that are acknowledged."""
    async with staff(shop) as client:
        while True:
            placed.append(await place(client))
            await trio.sleep(chance.uniform(0.0, 0.05))


async def brew(shop: Shop) -> None:
    """Start and finish one order after the other."""
    async with staff(shop) as client:
        while True:
            started = await client.get("/start/", params={"wait": 1})
            if started.status_code == 200:
                await client.post("/finish/", json={"order_id": started.json()["order_id"]})


def expected_in(url: str) -> dict[str, list[str]]:
    """Return what each basket's order went through, as its events say."""
    ours = (events.c.department == "orders", events.c.data.is_not(None))
    changes = (*ours, events.c.before.is_distinct_from(events.c.after))
    found: dict[str, list[str]] = defaultdict(list)
    with open_reader(url) as connection:
        query = select(events.c.subject, events.c.after).where(*changes)
        for order_id, status in connection.execute(query.order_by(events.c.position)):
            found[order_id].append(status)
    return dict(found)


def delivered_in(url: str) -> int:
    """Return how many notifications are delivered."""
    is_delivered = notifications.c.state == State.DELIVERED.value
    with open_reader(url) as connection:
        query = select(func.count()).select_from(notifications).where(is_delivered)
        return connection.execute(query).scalar_one()


async def until_told(url: str) -> dict[str, list[str]]:
    """Wait until each order is ready, and each of its events is delivered; return the events."""

    async def is_told() -> bool:
        expected = await trio.to_thread.run_sync(expected_in, url)
        if any(statuses[-1] != "ready" for statuses in expected.values()):
            return False
        delivered = await trio.to_thread.run_sync(delivered_in, url)
        return delivered == sum(map(len, expected.values()))

    await until_asked(is_told)
    return await trio.to_thread.run_sync(expected_in, url)


async def play(url: str, receiver: SocketReceiver, *, kills: int, seed: int) -> None:
    """Kill a shop `kills` times; raise AssertionError if the receiver was not told all, in order.

    An attempt whose answer a kill has cut off is repeated, under the same id.
    """
    chance = Random(seed)  # noqa: S311 - repeatable, with the seed that a failure shows
    placed: list[str] = []
    for _ in range(kills):
        with open_notified(
            receiver, url, -signal.SIGKILL, lease_seconds=LEASE, **NO_LIMITS
        ) as shop:
            tasks = [partial(order, shop, placed, chance)] * CUSTOMERS
            tasks += [partial(brew, shop)] * BARISTAS
            await run_until_killed(shop, tasks, chance.uniform(*UNTIL_KILLED))
    with open_notified(receiver, url, lease_seconds=LEASE, **NO_LIMITS) as shop:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(brew, shop)
            expected = await until_told(url)
            nursery.cancel_scope.cancel()
    assert await db_check(url) == 0
    assert placed
    assert set(placed) <= expected.keys()
    for order_id, statuses in expected.items():
        assert receiver.statuses(order_id) == statuses
    ids = {call.headers["webhook-id"] for call in receiver.calls}
    assert len(ids) == sum(map(len, expected.values()))


async def test_each_event_is_told_in_its_order_whenever_the_shop_is_killed(
    tmp_path: Path, seed: int
) -> None:
    async with open_receiver() as receiver:
        await play(f"sqlite:///{tmp_path}/cafe.db", receiver, kills=2, seed=seed)


async def test_the_same_holds_on_postgresql(postgresql: str, seed: int) -> None:
    async with open_receiver() as receiver:
        await play(postgresql, receiver, kills=1, seed=seed)
