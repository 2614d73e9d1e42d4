"""Clients that disconnect, or only close their side: which are answered, and what is kept."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping

import httpx
import pytest

from tests.system.api import LATER, brew, crowd, finish, look, order, park, start
from tests.system.raw_client import Client, read_to_end, request
from tests.system.shop import Shop
from tests.system.until import until, until_asked

AT_ONCE = ("respond-async", "wait=0")
JSON = {"Content-Type": "application/json"}
NO_FIELDS: Mapping[str, str] = {}


def raw_request(
    method: str, path: str, fields: Mapping[str, str] = NO_FIELDS, body: bytes = b""
) -> bytes:
    """Return a request with these header fields."""
    return request(method, path, *(f"{name}: {value}" for name, value in fields.items()), body=body)


async def half_closed(shop: Shop, raw: bytes, address: str | None = None, url: str = "") -> bytes:
    """Send this and half-close in one packet, then return all that is received."""
    async with await shop.connect(address, url) as stream:
        await stream.socket.send(raw, socket.MSG_MORE)
        await stream.send_eof()
        return await read_to_end(stream)


async def send_and_leave(shop: Shop, raw: bytes, address: str) -> None:
    """Send this and close the connection: the server receives both before it can answer."""
    async with await shop.connect(address) as stream:
        await stream.socket.send(raw, socket.MSG_MORE)


def status(received: bytes) -> int:
    return int(received.split(b" ", 2)[1])


@pytest.mark.parametrize("body", [b"", b'{"name":"Ada"}'])
@pytest.mark.parametrize("prefer", AT_ONCE)
async def test_a_customer_that_does_not_wait_gets_the_id_also_after_closing_its_side(
    shop: Shop, address: str, prefer: str, body: bytes
) -> None:
    raw = raw_request("POST", "/order/", {"Prefer": prefer, **JSON}, body)
    received = await half_closed(shop, raw, address)
    assert status(received) == 202
    placed = json.loads(received.partition(b"\r\n\r\n")[2])
    async with shop.customers(address) as customer, shop.baristas() as barista:
        assert (await look(customer, placed["order_id"]))["status"] == "waiting"
        assert (await brew(barista))["order_id"] == placed["order_id"]


async def test_two_orders_in_one_packet_are_both_answered_and_kept(
    shop: Shop, address: str
) -> None:
    raw = raw_request("POST", "/order/", LATER)
    received = await half_closed(shop, raw * 2, address)
    assert received.count(b"HTTP/1.1 202 ") == 2
    async with shop.baristas() as barista:
        for _ in "ab":
            await brew(barista)
    await shop.settle()
    assert shop.log.lines("order", action="abandon", address=address) == []


@pytest.mark.parametrize("prefer", AT_ONCE)
async def test_an_order_whose_customer_disconnected_before_it_got_the_id_is_cancelled(
    shop: Shop, address: str, prefer: str
) -> None:
    await send_and_leave(shop, raw_request("POST", "/order/", {"Prefer": prefer}), address)
    await shop.log.line("order", action="place", address=address)
    await shop.log.line("order", action="abandon", address=address)
    assert await shop.orders() == []


async def test_an_order_with_a_key_is_kept_for_a_customer_that_disconnected(
    shop: Shop, address: str
) -> None:
    fields = {**LATER, "Idempotency-Key": "gone"}
    await send_and_leave(shop, raw_request("POST", "/order/", fields), address)
    await shop.log.line("request", address=address, status=202)
    received = await half_closed(shop, raw_request("POST", "/order/", fields), address)
    placed = json.loads(received.partition(b"\r\n\r\n")[2])
    async with shop.baristas() as barista:
        assert (await brew(barista))["order_id"] == placed["order_id"]


async def test_a_waiting_customer_that_closes_its_side_counts_as_disconnected(
    shop: Shop, address: str
) -> None:
    for fields in (NO_FIELDS, {"Prefer": "wait=60"}):
        received = await half_closed(shop, raw_request("POST", "/order/", fields), address)
        assert received == b""
    await until(lambda: len(shop.log.lines("request", status=499, address=address)) == 2)
    assert await shop.orders() == []


async def test_a_customer_that_waits_for_a_look_and_closes_its_side_counts_as_disconnected(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        path = f"/order/{(await order(customer))['order_id']}"
        assert (
            await half_closed(shop, raw_request("GET", path, {"Prefer": "wait=60"}), address) == b""
        )
        await brew(barista)


async def test_a_customer_that_looks_or_cancels_and_closes_its_side_is_answered(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer:
        path = f"/order/{(await order(customer))['order_id']}"
        for method in ("GET", "DELETE"):
            assert status(await half_closed(shop, raw_request(method, path), address)) == 200
        assert status(await half_closed(shop, raw_request("GET", f"{path}x"), address)) == 404


LOOKS: Mapping[str, tuple[str, ...]] = {
    "client": ("/queue", "/livez", "/readyz", "/docs", "/openapi.json"),
    "worker": ("/orders", "/actors", "/metrics", "/livez", "/readyz", "/docs", "/openapi.json"),
}


@pytest.mark.parametrize("app", LOOKS)
async def test_a_client_that_looks_at_the_shop_and_closes_its_side_is_answered(
    shop: Shop, app: str
) -> None:
    url = shop.client if app == "client" else shop.worker
    for path in LOOKS[app]:
        assert status(await half_closed(shop, raw_request("GET", path), url=url)) == 200, path


async def test_a_barista_that_closes_its_side_gets_an_order_or_none_is_lost(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await order(customer)
        for path in ("/start/", "/start/?wait=60"):
            received = await half_closed(shop, raw_request("GET", path), url=shop.worker)
            if received:  # it was faster than the news that it had left
                assert status(received) == 200
                await barista.post("/release/", params={"order_id": placed["order_id"]})
        finished = raw_request("POST", f"/finish/?order_id={placed['order_id']}")
        assert (await brew(barista))["order_id"] == placed["order_id"]
        assert status(await half_closed(shop, finished, url=shop.worker)) == 200


@pytest.mark.parametrize("app", LOOKS)
async def test_a_client_that_disconnects_in_a_body_gets_no_response(shop: Shop, app: str) -> None:
    url, path = {"client": (shop.client, "/order/"), "worker": (shop.worker, "/finish/")}[app]
    raw = raw_request("POST", path, JSON, b'{"order_id": "x"}')
    assert await half_closed(shop, raw[:-5], url=url) == b""
    await shop.log.line("request", app=app, status=499)


async def test_a_client_that_was_answered_on_a_kept_connection_may_close_its_side(
    shop: Shop, address: str
) -> None:
    async with await shop.connect(address) as stream, shop.baristas() as barista:
        client = Client(stream)
        for _ in "ab":
            answer = await client.ask(raw_request("POST", "/order/", LATER), "POST")
            assert answer.status == 202
        await stream.send_eof()
        assert await read_to_end(stream) == b""
        for _ in "ab":
            await brew(barista)
    await shop.settle()
    assert shop.log.lines("order", action="abandon", address=address) == []


async def test_an_order_whose_customer_hangs_up_while_it_waits_is_not_brewed(
    shop: Shop, address: str
) -> None:
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
    assert shop.log.lines("order", action="start", address=address) == []


async def test_a_coffee_whose_customer_hung_up_is_not_collected(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        async with await park(shop, address):
            claim = await start(barista, wait=20)
        await shop.log.line("request", status=499, address=address)
        finished = await finish(barista, claim["order_id"])
        assert (finished["status"], finished["collected"]) == ("ready", False)
        assert (await look(customer, claim["order_id"]))["status"] == "ready"


async def test_an_order_that_is_released_after_its_customer_hung_up_is_cancelled(
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
        async with await park(shop, address, request("GET", url, "Prefer: wait=60")):
            await until_asked(lambda: exists(customer, url))
        await shop.log.line("request", status=499, address=address)
        assert (await look(customer, placed["order_id"]))["status"] == "waiting"
        await brew(barista)


async def exists(customer: httpx.AsyncClient, url: str) -> bool:
    return (await customer.get(url)).status_code == 200
