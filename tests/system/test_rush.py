"""The scenario: crowds that wait, an attacker among them, and inputs that end a stock hypercorn."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import sys
from contextlib import AsyncExitStack
from itertools import accumulate
from pathlib import Path

import pytest
import trio

from cafe.players import attacker
from cafe.players.attacker import Attack
from tests.system.api import ORDER, Crew, brew, crowd, order, read_all
from tests.system.raw_client import read_to_end
from tests.system.shop import Line, Shop
from tests.system.test_connections_attacked import BAD_REQUESTS, HYPERCORN_KILLERS
from tests.system.until import until, until_asked

pytestmark = pytest.mark.once


def started(shop: Shop, addresses: set[str]) -> list[Line]:
    """Return the log lines of the starts of orders of these addresses."""
    return [one for one in shop.log.lines("order", action="start") if one["address"] in addresses]


def placed(shop: Shop, address: str) -> int:
    """Return how many orders an address has placed so far."""
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


async def test_orders_of_all_addresses_are_started_in_the_order_of_their_arrival(
    shop: Shop,
) -> None:
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
        # Read from the log, because polling /metrics would slow the shop down.
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


ATTACKER = "127.0.0.66"
OFFICES = ["127.5.0.1", "127.5.0.2", "127.5.0.3"]


async def attack(shop: Shop, orders: int) -> Attack:
    """Order so many times at once, from a process of the attacker's own, for 15 s at most."""
    url = [shop.client, "--from", ATTACKER, "--orders", str(orders), "--seconds", "15"]
    run = await trio.run_process(
        [sys.executable, str(Path(attacker.__file__)), *url], capture_stdout=True
    )
    return Attack.parse(run.stdout.decode())


async def test_the_attacker_is_banned_and_the_regulars_do_not_notice(
    shop: Shop, nursery: trio.Nursery
) -> None:
    attacks: list[Attack] = []

    async def begin() -> None:
        attacks.append(await attack(shop, 5000))

    async with crowd(shop, OFFICES * 20) as early:
        await shop.has_waiting(60)
        nursery.start_soon(begin)
        await shop.log.line("order", action="place", address=ATTACKER)
        async with crowd(shop, OFFICES * 20) as late:
            ban = await shop.log.line("banned", address=ATTACKER)
            await until(lambda: attacks)
            await shop.has_waiting(120)
            crew = Crew(shop)
            await crew.work(baristas=10)
            answers = await read_all(early + late)
    assert [one.status for one in answers] == [200] * 120
    await shop.settle()
    assert numbers(shop, "start") == numbers(shop, "place") == sorted(crew.numbers)
    assert len(crew.numbers) == 120
    assert ban["orders"] <= 400
    assert_that_it_was_cut_off(shop, attacks[0])
    await others_are_served(shop)


def numbers(shop: Shop, action: str) -> list[int]:
    """Return the ticket numbers of the regulars to whose orders this happened, in that order."""
    lines = shop.log.lines("order", action=action)
    return [one["number"] for one in lines if one["address"] in OFFICES]


def assert_that_it_was_cut_off(shop: Shop, result: Attack) -> None:
    """Check what the attacker got: 429s, then refused connections, and never a coffee."""
    assert not any(answer.startswith("200") for answer in result.answers)
    assert result.answers["429 waiting"] > 0
    assert result.lost > 400
    assert result.lost + result.unanswered > 3000
    actions = [one["action"] for one in shop.log.lines("order", address=ATTACKER)]
    assert set(actions) <= {"place", "cut off", "abandon"}
    waiting = list(accumulate(1 if action == "place" else -1 for action in actions))
    assert max(waiting) <= 400  # where the machine is busy some give up, and others come instead
    assert waiting[-1] == 0


async def others_are_served(shop: Shop) -> None:
    """Check that no other address is limited, and that the metrics show what happened."""
    async with shop.customers("127.5.0.4") as customer:
        await order(customer)
    crew = Crew(shop)
    await crew.work(baristas=1)
    assert len(crew.numbers) == 1
    assert await shop.metric("cafe_bans_now") == 1
    bans, filters = (f'cafe_kernel_{what}{{app="client"}}' for what in ("bans", "filter"))
    assert await shop.metric(bans) == await shop.metric(filters)  # 1 where the kernel has filters
    assert await shop.metric('cafe_refusals_total{limit="waiting"}') > 0
    assert await shop.metric('cafe_connections_isolated_total{app="client"}') == 0


START = b"GET /start/?wait=60 HTTP/1.1\r\nHost: cafe\r\n\r\n"
CHUNKED = b"POST /order/ HTTP/1.1\r\nHost: cafe\r\nTransfer-Encoding: chunked\r\n\r\n"
JSON = b"POST /finish/ HTTP/1.1\r\nHost: cafe\r\nContent-Type: application/json\r\n"

# What is sent in one state of a connection or another before it is reset.
CUT_OFF_AFTER = {
    "nothing": b"",
    "half a head": ORDER[:20],
    "half a body": JSON + b'Content-Length: 90\r\n\r\n{"order_id":',
    "half a chunk": CHUNKED + b"9\r\n{",
    "an order": ORDER,
    "an order and more": ORDER * 20,
    "a barista's wait": START,
    "requests without end": b"GET /openapi.json HTTP/1.1\r\nHost: cafe\r\n\r\n" * 40,
}


async def still_serves(shop: Shop, address: str) -> None:
    """Check that a customer gets a coffee, and that nothing of the attack is left."""
    async with shop.customers(address) as customer, shop.baristas() as barista:
        await until_asked(lambda: has_connections(shop, client=0, worker=1))
        placed = await order(customer)
        assert (await brew(barista))["order_id"] == placed["order_id"]
    for app in ("client", "worker"):
        assert await shop.metric(f'cafe_connections_isolated_total{{app="{app}"}}') == 0


async def has_connections(shop: Shop, *, client: int, worker: int) -> bool:
    """Return whether so many are open; to ask takes one to the baristas' app."""
    return (
        await shop.metric('cafe_connections_open{app="client"}') == client
        and await shop.metric('cafe_connections_open{app="worker"}') == worker
    )


@pytest.mark.parametrize("attack", HYPERCORN_KILLERS.values(), ids=HYPERCORN_KILLERS)
async def test_what_ends_a_stock_hypercorn_does_not_end_the_shop(
    shop: Shop, address: str, attack: bytes
) -> None:
    for url in (shop.client, shop.worker):
        async with await shop.connect(address, url) as stream:
            await stream.send_all(attack)
            await stream.send_eof()
            await read_to_end(stream)
    await still_serves(shop, address)


@pytest.mark.parametrize(("raw", "status"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
async def test_malformed_http_gets_a_problem_with_an_id(
    shop: Shop, address: str, raw: bytes, status: int
) -> None:
    for url in (shop.client, shop.worker):
        async with await shop.connect(address, url) as stream:
            await stream.send_all(raw)
            await stream.send_eof()
            head, _, body = (await read_to_end(stream)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        request_id = re.search(rb"\r\nx-request-id: ([0-9a-f]{16})\r\n", head + b"\r\n")
        assert request_id is not None
        assert b'"instance":"urn:request:%s"' % request_id[1] in body
    await still_serves(shop, address)


@pytest.mark.parametrize("raw", CUT_OFF_AFTER.values(), ids=CUT_OFF_AFTER)
async def test_a_reset_in_any_state_leaves_nothing_behind(
    shop: Shop, address: str, raw: bytes
) -> None:
    async with trio.open_nursery() as nursery:
        for url in (shop.client, shop.worker) * 5:
            nursery.start_soon(cut_off, shop, address, url, raw)
    await still_serves(shop, address)


async def cut_off(shop: Shop, address: str, url: str, raw: bytes) -> None:
    """Send this and reset the connection, as a machine does that crashes and restarts."""
    stream = await shop.connect(address, url)
    await stream.send_all(raw)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


SMALL_RUSH = ("--regulars", "20", "--groups", "10-20", "--speed", "200", "--attack", "10")


def cafe(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cafe", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_small_rush_serves_every_regular_and_prints_what_the_attacker_got() -> None:
    rush = cafe("rush", *SMALL_RUSH, "--watch")
    assert rush.returncode == 0, rush.stderr
    lines = rush.stdout.splitlines()
    [served] = [line for line in lines if "got their coffee (200)" in line]
    assert served.split()[-6:] == ["20", "of", "20"] * 2
    assert any("The attacker, 127.0.0.66, ordered 10 at once" in line for line in lines)
    pages = re.findall(r"http://\S+?(/(?:board|barista)?)$", rush.stderr, re.MULTILINE)
    assert pages == ["/board", "/", "/barista"] * 2


def test_customers_without_a_shop_are_one_line_and_exit_code_1() -> None:
    ended = cafe("customers", "1", "--url", "http://127.0.0.1:1", "--retry-for", "0.1")
    assert ended.returncode == 1
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert "127.0.0.1:1" in line
