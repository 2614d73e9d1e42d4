"""A shop with tips that is killed repeatedly under load, while each customer gives a tip.

Rule: as in `tests/system/killing.py`; the shop is that of `docs/examples/shop.py`.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import trio
from sqlalchemy import select

from cafe.ledger.checking import open_reader
from cafe.ledger.tables import events
from docs.examples.shop import EXTENDED
from docs.examples.tips.tables import followed, tip_of, tips, totals
from docs.examples.tips.tip import Status, Tip
from tests.system.history import broken_promises
from tests.system.killing import (
    BARISTAS,
    FULL_SPEED,
    LEASES,
    WITH_KEY,
    WITHOUT_KEY,
    check,
    kill,
    open_until,
)
from tests.system.load import Load
from tests.system.raw_client import Client
from tests.system.shop import Line, until_asked
from tests.tips.till import earned_by

PROGRAM = (sys.executable, "-m", "docs.examples.shop")


@dataclass(slots=True)
class Given:
    """What customers were answered about their tips, by all processes of a shop."""

    cents: dict[str, int] = field(default_factory=dict[str, int])
    """By order, of tips that were acknowledged."""
    acknowledged: int = 0


class TippingLoad(Load):
    """A load whose customers give a tip after each reply about an order, the same tip each time."""

    given: Given

    async def _order(self, client: Client, asked: bytes, *kept: str) -> Line | None:
        order = await super()._order(client, asked, *kept)
        if order is not None:
            await self._tip(client, order)
        return order

    async def _tip(self, client: Client, order: Line) -> None:
        cents = 1 + order["number"] % 97
        body = f'{{"order_id": "{order["order_id"]}", "cents": {cents}}}'
        head = (
            f"PUT /tips/for-{order['order_id']} HTTP/1.1\r\nHost: cafe\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        answer = await client.ask(f"{head}{body}".encode(), "PUT")
        if answer.status == 200:
            self.given.cents[order["order_id"]] = cents
            self.given.acknowledged += 1
        elif answer.status != 503:
            self.record.wrong.append(f"a tip was answered with {answer.status}")


async def play(url: str, *, kills: int, seed: int) -> Tally:
    """Kill a shop `kills` times; raise AssertionError if a tip is lost or paid twice."""
    chance = Random(seed)  # noqa: S311 - no secret, and the seed is printed
    killed_at: list[float] = []
    async with trio.open_nursery() as nursery:
        load = TippingLoad(nursery, chance)
        load.given = Given()
        load.start_baristas(chance.randint(*BARISTAS))
        for _ in range(kills):
            with open_until(signal.SIGKILL, url, chance.choice(LEASES), PROGRAM) as shop:
                load.use(shop)
                load.start_customers(with_key=WITH_KEY, without_key=WITHOUT_KEY)
                await trio.sleep(chance.uniform(*FULL_SPEED))
                killed_at.append(await kill(shop))
                load.pause()
        with open_until(None, url, LEASES[-1], PROGRAM) as shop:
            load.use(shop)
            await check(shop, url, load, killed_at, EXTENDED.kept)
            tally = await check_tips(url, load.given)
            async with shop.baristas() as barista:
                shown: dict[str, int] = (await barista.get("/tips/")).json()["cents"]
            assert await trio.to_thread.run_sync(broken_promises, url, EXTENDED.kept) == []
            nursery.cancel_scope.cancel()
    assert sum(shown.values()) == tally.paid
    return tally


@dataclass(frozen=True, slots=True)
class Tally:
    """What the tips of a run add up to."""

    acknowledged: int
    """Answers of 200 to a tip."""
    paid: int
    """Cents."""


async def check_tips(url: str, given: Given) -> Tally:
    """Check that each acknowledged tip is there once, and that the totals are right."""

    async def is_followed() -> bool:
        return await trio.to_thread.run_sync(is_all_followed, url)

    await until_asked(is_followed)
    return await trio.to_thread.run_sync(read_and_check, url, given)


def is_all_followed(url: str) -> bool:
    """Return whether every event was applied."""
    with open_reader(url) as connection:
        last = connection.execute(select(events.c.position).order_by(-events.c.position)).scalar()
        return connection.execute(select(followed.c.position)).scalar() == last


def read_and_check(url: str, given: Given) -> Tally:
    """Compare the tables of tips with the orders' events, and with the replies to customers."""
    with open_reader(url) as connection:
        log = connection.execute(select(events).order_by(events.c.position)).all()
        found = [tip_of(row) for row in connection.execute(select(tips))]
        got = {row.barista: row.cents for row in connection.execute(select(totals))}
    orders = [event for event in log if event.department == "orders"]
    wrong = [*lost(found, given), *given_twice(found)]
    assert not wrong, "\n".join(wrong[:20])
    assert got == earned_by(orders, found)
    assert sum(event.department == "tips" and event.action == "give" for event in log) == len(found)
    statuses = Counter(tip.status for tip in found)
    assert not statuses[Status.PLEDGED]
    return Tally(given.acknowledged, sum(got.values()))


def lost(found: list[Tip], given: Given) -> Iterator[str]:
    """Yield a sentence for each acknowledged tip that is missing or has another sum."""
    there = {tip.order_id: tip.cents for tip in found}
    for order_id, cents in given.cents.items():
        if there.get(order_id) != cents:
            yield f"order {order_id}: a tip of {cents} was acknowledged, is {there.get(order_id)}"


def given_twice(found: list[Tip]) -> Iterator[str]:
    """Yield a sentence for each order with two tips."""
    for order_id, times in Counter(tip.order_id for tip in found).items():
        if times > 1:
            yield f"order {order_id} has {times} tips"
