"""Crowds on open connections: hundreds that wait, thousands, and those who hang up."""

from __future__ import annotations

from contextlib import AsyncExitStack

import httpx
import trio

from tests.system.api import Crew, brew, crowd, finish, look, order, park, read_all, start
from tests.system.shop import Line, Shop, until, until_asked


def started(shop: Shop, addresses: set[str]) -> list[Line]:
    """Give the log's lines of the orders of these addresses that were started, in their order."""
    return [one for one in shop.log.lines("order", action="start") if one["address"] in addresses]


def placed(shop: Shop, address: str) -> int:
    """Count the orders of an address so far."""
    return len(shop.log.lines("order", action="place", address=address))


async def test_two_hundred_at_once_from_one_address_all_get_their_coffee_in_order(
    shop: Shop, address: str
) -> None:
    async with crowd(shop, [address] * 200) as customers:
        await shop.has_waiting(200)
        waiting = [one["number"] for one in await shop.orders()]
        crew = Crew(shop)
        await crew.work(baristas=10)
        answers = await read_all(customers)
    assert [one.status for one in answers] == [200] * 200
    await shop.settle()
    numbers = [one["number"] for one in started(shop, {address})]
    assert numbers == waiting == list(range(numbers[0], numbers[0] + 200))


async def test_orders_are_started_as_they_arrived_whoever_placed_them(shop: Shop) -> None:
    addresses = [f"127.2.0.{1 + n % 7}" for n in range(40)]
    async with AsyncExitStack() as stack, shop.baristas() as barista:
        placed: list[str] = []
        for one in addresses:
            customer = await stack.enter_async_context(shop.customers(one))
            placed.append((await order(customer))["order_id"])
        assert [(await brew(barista))["order_id"] for _ in placed] == placed


async def test_three_thousand_parked_orders_are_all_served_in_order(
    shop: Shop, nursery: trio.Nursery
) -> None:
    addresses = [f"127.3.0.{n}" for n in range(1, 11)]
    async with crowd(shop, addresses * 300) as customers:
        # Seen in the log, because asking for the figures all the time would slow the shop down.
        await until(lambda: placed(shop, addresses[-1]) == 300)
        await shop.has_waiting(3000)
        crew = Crew(shop)
        nursery.start_soon(crew.work, 20)
        answers = await read_all(customers)
    assert [one.status for one in answers] == [200] * 3000
    await shop.settle()
    numbers = [one["number"] for one in started(shop, set(addresses))]
    assert numbers == list(range(numbers[0], numbers[0] + 3000))
    assert sorted(crew.numbers) == numbers


async def test_whoever_hangs_up_while_waiting_is_not_brewed_for(shop: Shop, address: str) -> None:
    async with shop.customers("127.4.0.1") as customer, shop.baristas() as barista:
        before = await order(customer)
        async with crowd(shop, [address] * 20) as gone:
            await shop.has_waiting(21)
            after = await order(customer)
            for stream in gone[::2]:
                await stream.send_eof()
            await shop.has_waiting(12)
        await shop.has_waiting(2)
        assert [(await brew(barista))["order_id"] for _ in "ab"] == [
            one["order_id"] for one in (before, after)
        ]
    await shop.settle()
    assert len(shop.log.lines("order", action="abandon", address=address)) == 20
    await until(lambda: len(shop.log.lines("request", status=499, address=address)) == 20)
    assert started(shop, {address}) == []


async def test_a_coffee_whose_customer_hung_up_is_not_collected(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        async with await park(shop, address):
            claim = await start(barista, wait=20)
        await shop.log.line("request", status=499, address=address)
        finished = await finish(barista, claim["order_id"])
        assert (finished["status"], finished["collected"]) == ("ready", False)
        assert (await look(customer, claim["order_id"]))["status"] == "ready"


async def test_a_coffee_given_back_after_its_customer_hung_up_is_brewed_for_nobody(
    shop: Shop, address: str
) -> None:
    async with shop.baristas() as barista:
        async with await park(shop, address):
            claim = await start(barista, wait=20)
        await shop.log.line("request", status=499, address=address)
        released = await barista.post(f"/release/{claim['order_id']}")
        assert released.json()["status"] == "cancelled"
        assert (await barista.get("/start/")).status_code == 204


async def test_looking_at_an_order_does_not_hold_it(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await order(customer)
        url = f"/order/{placed['order_id']}"
        waiting = f"GET {url} HTTP/1.1\r\nHost: cafe\r\nPrefer: wait=60\r\n\r\n".encode()
        async with await park(shop, address, waiting):
            await until_asked(lambda: knows_it(customer, url))
        await shop.log.line("request", status=499, address=address)
        assert (await look(customer, placed["order_id"]))["status"] == "waiting"
        await brew(barista)


async def knows_it(customer: httpx.AsyncClient, url: str) -> bool:
    return (await customer.get(url)).status_code == 200
