"""Each input that ends a stock hypercorn, and other nonsense, against the real shop: it goes on."""

from __future__ import annotations

import re
import socket
import struct

import pytest
import trio

from tests.system.api import ORDER, brew, order
from tests.system.raw_client import read_to_end
from tests.system.shop import Shop, until_asked
from tests.system.test_connections_attacked import BAD_REQUESTS, HYPERCORN_KILLERS

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


async def sells_on(shop: Shop, address: str) -> None:
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
    await sells_on(shop, address)


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
    await sells_on(shop, address)


@pytest.mark.parametrize("raw", CUT_OFF_AFTER.values(), ids=CUT_OFF_AFTER)
async def test_a_reset_in_any_state_leaves_nothing_behind(
    shop: Shop, address: str, raw: bytes
) -> None:
    async with trio.open_nursery() as nursery:
        for url in (shop.client, shop.worker) * 5:
            nursery.start_soon(cut_off, shop, address, url, raw)
    await sells_on(shop, address)


async def cut_off(shop: Shop, address: str, url: str, raw: bytes) -> None:
    """Send this and reset the connection, as a machine does that crashes and restarts."""
    stream = await shop.connect(address, url)
    await stream.send_all(raw)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()
