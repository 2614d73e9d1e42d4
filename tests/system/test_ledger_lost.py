"""The database has another owner or other content: all requests are answered before the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from cafe.ledger.store import Store, open_store
from tests.cafe.ledger.lives import Writer
from tests.system.api import LATER, ORDER, order, park, problem, start
from tests.system.raw_client import Client
from tests.system.shop import Shop, open_shop, until_asked

ADDRESS = "127.0.0.14"
CLOSING = 2.0
WRONG = 2
KEYED = b"POST /order/ HTTP/1.1\r\nHost: cafe\r\nIdempotency-Key: k\r\n\r\n"
START = b"GET /start/?wait=60 HTTP/1.1\r\nHost: cafe\r\n\r\n"


def own(path: Path) -> Store:
    """Own a shop's file, as another program can once the lock file is removed."""
    path.with_name(path.name + ".lock").unlink()
    return open_store(f"sqlite:///{path}")


def write(path: Path) -> Store:
    """Write to a shop's file besides, and let it go."""
    store = own(path)
    store.begin()
    store.commit(Writer(1_000).life("theirs"))
    store.close()
    return store


async def are_at_work(shop: Shop, baristas: int) -> bool:
    return await shop.metric("cafe_baristas") == baristas


@pytest.mark.parametrize(
    ("take", "said"),
    [(own, " is in use by process "), (write, "cafe: The database does not end with event ")],
)
async def test_all_who_wait_are_refused_before_the_process_ends_when_another_owns_the_database(
    tmp_path: Path, take: Callable[[Path], Store], said: str
) -> None:
    url, path = f"sqlite:///{tmp_path}/cafe.db", tmp_path / "cafe.db"
    with open_shop(database_url=url, closing_seconds=CLOSING, exit_code=WRONG) as shop:
        async with AsyncExitStack() as stack:
            customer = await stack.enter_async_context(shop.customers(ADDRESS))
            barista = await stack.enter_async_context(shop.baristas())
            kept = await order(customer)
            look = (
                f"GET /order/{kept['order_id']} HTTP/1.1\r\nHost: cafe\r\nPrefer: wait=60\r\n\r\n"
            )
            waiting = [
                await stack.enter_async_context(await park(shop, ADDRESS, request))
                for request in (ORDER, KEYED, look.encode())
            ]
            await shop.has_waiting(3)
            for _ in range(3):
                await start(barista)
            idle = await stack.enter_async_context(await shop.connect(url=shop.worker))
            await idle.send_all(START)
            await until_asked(lambda: are_at_work(shop, 4))
            other = take(path)
            began = trio.current_time()
            refused = await customer.post("/order/", headers=LATER)
            assert problem(refused, 503)["reason"] == "ledger"
            for stream in (*waiting, idle):
                answer = await Client(stream).read()
                assert answer.status == 503
                assert json.loads(answer.body)["reason"] == "ledger"
            for place in ("/queue", "/livez"):
                assert (await customer.get(place)).status_code == 200
            assert problem(await customer.get(f"/order/{kept['order_id']}"), 503)
            assert await shop.ended() == WRONG
            assert trio.current_time() - began < CLOSING + 1
            other.close()
        assert said in shop.log.text
