"""Clients that close their side after a request: some still read, and some have disconnected."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping

import pytest

from tests.system.api import LATER, brew, look, order
from tests.system.raw_client import Client, read_to_end
from tests.system.shop import Shop, until

AT_ONCE = ("respond-async", "wait=0")
JSON = {"Content-Type": "application/json"}
NOTHING: Mapping[str, str] = {}


def asking(method: str, path: str, fields: Mapping[str, str] = NOTHING, body: bytes = b"") -> bytes:
    """Write a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: cafe", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def half_closed(shop: Shop, raw: bytes, address: str | None = None, url: str = "") -> bytes:
    """Send this and the end of our side in one packet, then read to the end of the other."""
    async with await shop.connect(address, url) as stream:
        await stream.socket.send(raw, socket.MSG_MORE)
        await stream.send_eof()
        return await read_to_end(stream)


async def gone(shop: Shop, raw: bytes, address: str) -> None:
    """Send this and be gone: the server has both before it can answer."""
    async with await shop.connect(address) as stream:
        await stream.socket.send(raw, socket.MSG_MORE)


def status(heard: bytes) -> int:
    return int(heard.split(b" ", 2)[1])


@pytest.mark.parametrize("body", [b"", b'{"name":"Ada"}'])
@pytest.mark.parametrize("prefer", AT_ONCE)
async def test_a_customer_that_does_not_wait_gets_the_id_also_after_closing_its_side(
    shop: Shop, address: str, prefer: str, body: bytes
) -> None:
    raw = asking("POST", "/order/", {"Prefer": prefer, **JSON}, body)
    heard = await half_closed(shop, raw, address)
    assert status(heard) == 202
    placed = json.loads(heard.partition(b"\r\n\r\n")[2])
    async with shop.customers(address) as customer, shop.baristas() as barista:
        assert (await look(customer, placed["order_id"]))["status"] == "waiting"
        assert (await brew(barista))["order_id"] == placed["order_id"]


async def test_two_orders_in_one_packet_are_both_answered_and_kept(
    shop: Shop, address: str
) -> None:
    raw = asking("POST", "/order/", LATER)
    heard = await half_closed(shop, raw * 2, address)
    assert heard.count(b"HTTP/1.1 202 ") == 2
    async with shop.baristas() as barista:
        for _ in "ab":
            await brew(barista)
    await shop.settle()
    assert shop.log.lines("order", action="abandon", address=address) == []


@pytest.mark.parametrize("prefer", AT_ONCE)
async def test_an_order_whose_customer_disconnected_before_it_got_the_id_is_cancelled(
    shop: Shop, address: str, prefer: str
) -> None:
    await gone(shop, asking("POST", "/order/", {"Prefer": prefer}), address)
    await shop.log.line("order", action="place", address=address)
    await shop.log.line("order", action="abandon", address=address)
    assert await shop.orders() == []


async def test_an_order_with_a_key_is_kept_for_a_customer_that_disconnected(
    shop: Shop, address: str
) -> None:
    fields = {**LATER, "Idempotency-Key": "gone"}
    await gone(shop, asking("POST", "/order/", fields), address)
    await shop.log.line("request", address=address, status=202)
    heard = await half_closed(shop, asking("POST", "/order/", fields), address)
    placed = json.loads(heard.partition(b"\r\n\r\n")[2])
    async with shop.baristas() as barista:
        assert (await brew(barista))["order_id"] == placed["order_id"]


async def test_a_waiting_customer_that_closes_its_side_counts_as_disconnected(
    shop: Shop, address: str
) -> None:
    for fields in (NOTHING, {"Prefer": "wait=60"}):
        heard = await half_closed(shop, asking("POST", "/order/", fields), address)
        assert heard == b""
    await until(lambda: len(shop.log.lines("request", status=499, address=address)) == 2)
    assert await shop.orders() == []


async def test_a_customer_that_waits_for_a_look_and_closes_its_side_counts_as_disconnected(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        path = f"/order/{(await order(customer))['order_id']}"
        assert await half_closed(shop, asking("GET", path, {"Prefer": "wait=60"}), address) == b""
        await brew(barista)


async def test_a_customer_that_looks_or_cancels_and_closes_its_side_is_answered(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer:
        path = f"/order/{(await order(customer))['order_id']}"
        for method in ("GET", "DELETE"):
            assert status(await half_closed(shop, asking(method, path), address)) == 200
        assert status(await half_closed(shop, asking("GET", f"{path}x"), address)) == 404


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
        assert status(await half_closed(shop, asking("GET", path), url=url)) == 200, path


async def test_a_barista_that_closes_its_side_gets_an_order_or_none_is_lost(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await order(customer)
        for path in ("/start/", "/start/?wait=60"):
            heard = await half_closed(shop, asking("GET", path), url=shop.worker)
            if heard:  # it was faster than the news that it had left
                assert status(heard) == 200
                await barista.post("/release/", params={"order_id": placed["order_id"]})
        finished = asking("POST", f"/finish/?order_id={placed['order_id']}")
        assert (await brew(barista))["order_id"] == placed["order_id"]
        assert status(await half_closed(shop, finished, url=shop.worker)) == 200


@pytest.mark.parametrize("app", LOOKS)
async def test_a_client_that_disconnects_in_a_body_gets_no_response(shop: Shop, app: str) -> None:
    url, path = {"client": (shop.client, "/order/"), "worker": (shop.worker, "/finish/")}[app]
    raw = asking("POST", path, JSON, b'{"order_id": "x"}')
    assert await half_closed(shop, raw[:-5], url=url) == b""
    await shop.log.line("request", app=app, status=499)


async def test_a_client_that_was_answered_on_a_kept_connection_may_close_its_side(
    shop: Shop, address: str
) -> None:
    async with await shop.connect(address) as stream, shop.baristas() as barista:
        client = Client(stream)
        for _ in "ab":
            answer = await client.ask(asking("POST", "/order/", LATER), "POST")
            assert answer.status == 202
        await stream.send_eof()
        assert await read_to_end(stream) == b""
        for _ in "ab":
            await brew(barista)
    await shop.settle()
    assert shop.log.lines("order", action="abandon", address=address) == []
