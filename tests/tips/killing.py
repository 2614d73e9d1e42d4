"""A shop with tips that is killed again and again at full speed, while each customer gives a tip.

Run where the department has been moved in (`tests.extending.move_in`): the program that looks is
then of the same version as the shop. Prints what came together; raises where something is wrong.
"""

from __future__ import annotations

import argparse
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
from docs.examples.tips.tables import followed, tip_of, tips, totals
from docs.examples.tips.tip import Status, Tip
from tests.system.door import Client
from tests.system.killing import (
    BARISTAS,
    FULL_SPEED,
    LEASES,
    PASSERS_BY,
    REGULARS,
    check,
    db_check,
    kill,
    open_until,
)
from tests.system.shop import Line, until_asked
from tests.system.street import Street
from tests.tips.till import earned_by


@dataclass(slots=True)
class Given:
    """What customers have heard of their tips, over all the lives of a shop."""

    cents: dict[str, int] = field(default_factory=dict[str, int])
    """By order, of tips that were acknowledged."""
    acknowledged: int = 0
    refused: Counter[int] = field(default_factory=Counter[int])


class TippingStreet(Street):
    """Where each customer gives a tip with every answer about an order, always the same one."""

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
        else:
            self.given.refused[answer.status] += 1
            if answer.status != 503:
                self.notes.wrong.append(f"a tip was answered with {answer.status}")


async def play(url: str, *, kills: int, seed: int) -> str:
    """Kill a shop so often; raise AssertionError where a tip is not where it belongs."""
    chance = Random(seed)  # noqa: S311 - a draw, and the seed is told
    killed_at: list[float] = []
    async with trio.open_nursery() as nursery:
        street = TippingStreet(nursery, chance)
        street.given = Given()
        street.hire(chance.randint(*BARISTAS))
        for _ in range(kills):
            with open_until(signal.SIGKILL, url, chance.choice(LEASES)) as shop:
                street.open(shop)
                street.invite(regulars=REGULARS, passers_by=PASSERS_BY)
                await trio.sleep(chance.uniform(*FULL_SPEED))
                killed_at.append(await kill(shop))
                street.shut()
        with open_until(None, url, LEASES[-1]) as shop:
            street.open(shop)
            figures = await check(shop, url, street, killed_at)
            said = await check_tips(url, street.given)
            async with shop.baristas() as barista:
                shown: dict[str, int] = (await barista.get("/tips/")).json()["cents"]
            assert await db_check(url) == 0
            nursery.cancel_scope.cancel()
    assert sum(shown.values()) == said.paid
    return f"{figures}, {said}"


@dataclass(frozen=True, slots=True)
class Said:
    """What the tables say of tips."""

    tips: int
    acknowledged: int
    paid: int
    """Cents."""
    returned: int
    refused: dict[int, int]

    def __str__(self) -> str:
        return (
            f"tips {self.tips:,} ({self.acknowledged:,} acknowledgements), paid {self.paid:,} "
            f"cents, returned {self.returned:,}, refused {self.refused}"
        )


async def check_tips(url: str, given: Given) -> Said:
    """Make sure that each acknowledged tip is there once, and the totals are right."""

    async def is_followed() -> bool:
        return await trio.to_thread.run_sync(is_all_followed, url)

    await until_asked(is_followed)
    return await trio.to_thread.run_sync(read_and_check, url, given)


def is_all_followed(url: str) -> bool:
    """Tell whether every event has had its effect."""
    with open_reader(url) as connection:
        last = connection.execute(select(events.c.position).order_by(-events.c.position)).scalar()
        return connection.execute(select(followed.c.position)).scalar() == last


def read_and_check(url: str, given: Given) -> Said:
    """Hold the tables of tips against the orders' events and against what customers heard."""
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
    paid, returned = sum(got.values()), statuses[Status.RETURNED]
    return Said(len(found), given.acknowledged, paid, returned, dict(given.refused))


def lost(found: list[Tip], given: Given) -> Iterator[str]:
    """Give a sentence for each acknowledged tip that is not there as it was given."""
    there = {tip.order_id: tip.cents for tip in found}
    for order_id, cents in given.cents.items():
        if there.get(order_id) != cents:
            yield f"order {order_id}: a tip of {cents} was acknowledged, is {there.get(order_id)}"


def given_twice(found: list[Tip]) -> Iterator[str]:
    """Give a sentence for each order with two tips."""
    for order_id, times in Counter(tip.order_id for tip in found).items():
        if times > 1:
            yield f"order {order_id} has {times} tips"


def main() -> None:
    """Read the database's URL, the number of kills and the seed from the command line."""
    parser = argparse.ArgumentParser(description="Kill a shop with tips, and look at the tips")
    parser.add_argument("url")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    said = trio.run(lambda: play(arguments.url, kills=arguments.kills, seed=arguments.seed))
    sys.stdout.write(f"{said}\n")


if __name__ == "__main__":
    main()
