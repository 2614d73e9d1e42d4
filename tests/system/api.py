"""The requests that most tests make of a shop: order, look, claim, finish, wait for coffee."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import trio

from tests.system.raw_client import Answer, Client, request
from tests.system.shop import Line, Shop

LATER = {"Prefer": "respond-async"}
ORDER = request("POST", "/order/")
MEDIA_TYPE = "application/problem+json"


async def order(customer: httpx.AsyncClient, **members: str) -> Line:
    """Place an order without waiting; return it."""
    response = await customer.post("/order/", headers=LATER, json=members)
    assert response.status_code == 202, response.text
    placed: Line = response.json()
    return placed


async def look(customer: httpx.AsyncClient, order_id: str) -> Line:
    """Return an order as the customers' app shows it."""
    response = await customer.get(f"/order/{order_id}")
    assert response.status_code == 200, response.text
    found: Line = response.json()
    return found


async def start(barista: httpx.AsyncClient, wait: int = 0) -> Line:
    """Claim the oldest order; return the claim."""
    response = await barista.get("/start/", params={"wait": wait})
    assert response.status_code == 200, response.text
    claim: Line = response.json()
    return claim


async def finish(barista: httpx.AsyncClient, order_id: str) -> Line:
    """Declare an order ready; return the answer."""
    response = await barista.post("/finish/", json={"order_id": order_id})
    assert response.status_code == 200, response.text
    finished: Line = response.json()
    return finished


async def brew(barista: httpx.AsyncClient) -> Line:
    """Claim the oldest order and declare it ready; return the answer."""
    return await finish(barista, (await start(barista))["order_id"])


async def park(shop: Shop, address: str, request: bytes = ORDER) -> trio.SocketStream:
    """Order on a new connection, which is left waiting."""
    stream = await shop.connect(address)
    await stream.send_all(request)
    return stream


def problem(response: httpx.Response, status: int) -> Line:
    """Check what every problem has, and return its body."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    body: Line = response.json()
    assert {"type", "title", "status", "detail", "instance"} <= set(body)
    assert body["status"] == status
    assert body["instance"] == f"urn:request:{response.headers['x-request-id']}"
    assert body["detail"]
    assert not any(inner in response.text for inner in ("Traceback", "cafe.", ".py"))
    return body


@asynccontextmanager
async def crowd(shop: Shop, addresses: list[str]) -> AsyncGenerator[list[trio.SocketStream]]:
    """Yield a connection with a waiting order for each address, in this order."""
    async with AsyncExitStack() as streams:
        yield [await streams.enter_async_context(await park(shop, one)) for one in addresses]


async def read_all(streams: list[trio.SocketStream]) -> list[Answer]:
    """Return the answer on each stream, in their order."""
    return [await Client(stream).read("POST") for stream in streams]


class Crew:
    """Baristas who brew until no order waits, and record the numbers that they claimed."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.numbers: list[int] = []

    async def work(self, baristas: int) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(baristas):
                nursery.start_soon(self._brew)

    async def _brew(self) -> None:
        async with await self._shop.connect(url=self._shop.worker) as stream:
            client = Client(stream)
            while (claim := await client.ask(request("GET", "/start/"))).status == 200:
                body = json.loads(claim.body)
                self.numbers.append(body["number"])
                finished = await client.ask(request("POST", f"/finish/{body['order_id']}"), "POST")
                assert finished.status == 200
