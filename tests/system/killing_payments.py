"""A shop that is killed and stopped again and again while customers pay and the provider stalls.

Rule: the providers live on, as real ones do. At the end each customer with a key has one order or
one refusal, and what was charged and refunded is what payments and orders say.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import trio
from sqlalchemy import Connection, select

from cafe.ledger.checking import open_reader
from cafe.orders.tables import orders
from cafe.payments.tables import payment_of, payments
from tests.system.killing import NO_LIMITS, db_check
from tests.system.paying import BASKET, Providers, open_paying_shop, signed_in
from tests.system.shop import Shop
from tests.system.until import until_asked

CUSTOMERS = 12
MANNERS = ("accept", "accept", "stall", "lose", "fail", "refuse")
REFUND_MANNERS = ("accept", "stall", "lose", "fail")
UNTIL_KILLED = (0.3, 2.0)
OPEN = ("intent", "asked", "paid", "refund_pending")


@dataclass
class Record:
    """What customers were answered, by all processes of a shop."""

    orders: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """By key: more than one order is wrong."""
    refused: set[str] = field(default_factory=set[str])
    keys: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])


class Customers:
    """Customers who order with keys and without, repeat, hang up, and cancel."""

    def __init__(self, shop: Shop, record: Record, chance: Random) -> None:
        self.shop, self.record, self.chance = shop, record, chance

    async def come(self) -> None:
        """Order until cancelled; each a new basket."""
        async with self.shop.customers() as client:
            with suppress(httpx.HTTPError):
                while True:
                    await self._order_once(client)

    async def _order_once(self, client: httpx.AsyncClient) -> None:
        key = None
        if self.chance.random() < 0.8:
            key = f"key-{len(self.record.keys)}"
            self.record.keys.append(key)
        hangs_up = self.chance.random() < 0.2
        with trio.move_on_after(self.chance.uniform(0.0, 0.3) if hangs_up else 5.0):
            order_id = await self.ask(client, key)
            if order_id is not None and self.chance.random() < 0.3:
                await client.delete(f"/orders/{order_id}", headers=signed_in("customer:ada"))
        await trio.sleep(self.chance.uniform(0.0, 0.1))

    async def ask(self, client: httpx.AsyncClient, key: str | None) -> str | None:
        """Order once; return the order's id, if it is known."""
        headers = signed_in("customer:ada", key)
        response = await client.post("/orders", json=BASKET, headers=headers)
        if response.status_code in {200, 201}:
            order_id: str = response.json()["order_id"]
            if key is not None:
                self.record.orders.setdefault(key, set()).add(order_id)
            return order_id
        if response.status_code == 402 and key is not None:
            self.record.refused.add(key)
        elif response.status_code not in {402, 409, 503}:
            self.record.wrong.append(f"{response.status_code}: {response.text}")
        return None

    async def repeat(self) -> None:
        """Repeat each key until its outcome is final, a few at a time."""
        left = list(self.record.keys)

        async def work(client: httpx.AsyncClient) -> None:
            while left:
                key = left.pop()
                if await self.ask(client, key) is None and key not in self.record.refused:
                    left.append(key)
                    await trio.sleep(0.2)

        async with self.shop.customers() as client, trio.open_nursery() as nursery:
            for _ in range(CUSTOMERS):
                nursery.start_soon(work, client)


@dataclass(frozen=True, slots=True)
class Tally:
    """What the payments of a run add up to."""

    charges: int
    refunds: int
    orders: int
    asked_again: int


async def play(url: str, providers: Providers, *, kills: int, seed: int) -> Tally:
    """Kill and stop a shop in turn; raise AssertionError if charges, refunds and orders differ."""
    chance = Random(seed)  # noqa: S311 - no secret, and the seed is printed
    record = Record()
    settings: dict[str, Any] = {"database_url": url, **NO_LIMITS}
    for number in range(kills):
        is_killed = number % 3 != 2
        with open_paying_shop(
            providers, exit_code=-signal.SIGKILL if is_killed else 0, **settings
        ) as shop:
            await run_until_killed(shop, providers, record, chance, is_killed=is_killed)
    with open_paying_shop(providers, **settings) as shop:
        providers.behave(charges="accept", refunds="accept")
        with trio.fail_after(90):
            await Customers(shop, record, chance).repeat()
            await until_settled(shop)
    assert record.wrong == []
    assert await db_check(url) == 0
    with open_reader(url) as connection:
        found = list(disagreements(connection, providers, record))
        number_of_orders = len(connection.execute(select(orders.c.order_id)).all())
    assert found == [], "\n".join(found[:20])
    charges, refunds = providers.done("charges"), providers.done("refunds")
    again = sum(one["asked"] > 1 for one in charges)
    return Tally(len(charges), len(refunds), number_of_orders, again)


async def run_until_killed(
    shop: Shop, providers: Providers, record: Record, chance: Random, *, is_killed: bool
) -> None:
    """Let customers order for a while, in changing manners of the provider; then end the shop."""
    customers = Customers(shop, record, chance)
    async with trio.open_nursery() as nursery:
        for _ in range(CUSTOMERS):
            nursery.start_soon(customers.come)
        for _ in range(2):
            providers.behave(charges=chance.choice(MANNERS), refunds=chance.choice(REFUND_MANNERS))
            await trio.sleep(chance.uniform(*UNTIL_KILLED) / 2)
        if is_killed:
            shop.process.kill()
        else:
            shop.process.terminate()
        await shop.ended()
        nursery.cancel_scope.cancel()


async def until_settled(shop: Shop) -> None:
    """Wait until no payment has anything left to do."""

    async def is_settled() -> bool:
        left = [await shop.metric(f'cafe_payments_open{{status="{status}"}}') for status in OPEN]
        return not any(left)

    await until_asked(is_settled)


def disagreements(connection: Connection, providers: Providers, record: Record) -> Iterator[str]:
    """Yield a sentence for each charge, refund or order that has no counterpart."""
    rows = [payment_of(row) for row in connection.execute(select(*payments.c))]
    paid = {f"charge-{one.payment_id}": one for one in rows}
    statuses: dict[str, str] = {
        row.order_id: row.status
        for row in connection.execute(select(orders.c.order_id, orders.c.status))
    }
    given_back = Counter(one["body"]["charge_key"] for one in providers.done("refunds"))
    charged = {one["key"] for one in providers.done("charges")}
    for key in charged:
        status = statuses.get(paid[key].order_id) if key in paid else None
        keeps_order = status not in {None, "cancelled"}
        if given_back[key] != (0 if keeps_order else 1):
            yield f"{key}: its order is {status}, refunded {given_back[key]} times"
    for key in set(given_back) - charged:
        yield f"{key}: refunded without a charge"
    for key, one in paid.items():
        if one.order_id in statuses and key not in charged:
            yield f"{key}: has an order without a charge"
    for order_id in statuses.keys() - {one.order_id for one in paid.values()}:
        yield f"order {order_id} has no payment"
    for name in record.keys:
        outcomes = len(record.orders.get(name, ())) + (name in record.refused)
        if outcomes != 1:
            yield f"{name} has {outcomes} outcomes"
