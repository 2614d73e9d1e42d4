"""What tests of notifications ask of a shop, which has a hatch where baskets are placed."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import httpx

from tests.cafe.notifications.receiver import SocketReceiver
from tests.system.shop import FREE_PORTS, TOKEN, Shop, open_shop

PROGRAM = (sys.executable, "-m", "tests.system.notified_shop")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALL = ["waiting", "preparation", "ready"]


@asynccontextmanager
async def staff(shop: Shop) -> AsyncGenerator[httpx.AsyncClient]:
    """Open a client of the baristas' port."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with shop.baristas(headers=headers) as client:
        yield client


async def place(client: httpx.AsyncClient) -> str:
    """Place a basket, and return the order's id."""
    order_id: str = (await client.post("/hatch")).json()["order_id"]
    return order_id


async def brew(client: httpx.AsyncClient) -> None:
    """Start and finish the oldest order."""
    started = (await client.get("/start/")).json()
    finished = await client.post("/finish/", json={"order_id": started["order_id"]})
    finished.raise_for_status()


@contextmanager
def open_notified(
    receiver: SocketReceiver, url: str, exit_code: int = 0, **settings: object
) -> Generator[Shop]:
    """Open a shop that notifies a receiver."""
    with open_shop(
        FREE_PORTS,
        program=PROGRAM,
        exit_code=exit_code,
        database_url=url,
        worker_token=TOKEN,
        worker_hosts="",
        notification_url=receiver.url,
        notification_secret=SECRET,
        **settings,
    ) as shop:
        yield shop
