"""PostgreSQL goes away in the middle of a rush, and comes back."""

from __future__ import annotations

from random import Random

import trio

from cafe.ledger.database import upgrade
from tests.cafe.ledger.postgres import PostgresServer
from tests.system.api import problem
from tests.system.killing import check, db_check, open_until
from tests.system.load import Load
from tests.system.shop import Shop, until_asked

WITH_KEY, WITHOUT_KEY, BARISTAS = 15, 15, 6
RUSH = 1.5
LEASE = 3.0
AWAY = 7.0
"""Longer than the five seconds that a request waits for the ledger."""


async def ready(shop: Shop) -> int:
    async with shop.customers() as client:
        return (await client.get("/readyz")).status_code


async def test_a_rush_goes_on_by_itself_when_the_database_is_back(
    postgresql_server: PostgresServer,
) -> None:
    url = postgresql_server.url(postgresql_server.new_database())
    upgrade(url)
    with open_until(None, url, LEASE) as shop:
        async with trio.open_nursery() as nursery:
            load = Load(nursery, Random(5))  # noqa: S311 - what they draw is no secret
            load.start_baristas(BARISTAS)
            load.use(shop)
            load.start_customers(with_key=WITH_KEY, without_key=WITHOUT_KEY)
            await trio.sleep(RUSH)
            await trio.to_thread.run_sync(postgresql_server.stop, "immediate")
            try:
                async with shop.customers("127.6.0.1") as customer:
                    refused = await customer.post("/order/", headers={"Prefer": "respond-async"})
                assert problem(refused, 503)["reason"] == "ledger"
                assert refused.headers["retry-after"] == "5"
                assert await ready(shop) == 503
                await trio.sleep(AWAY - 5)
            finally:
                await trio.to_thread.run_sync(postgresql_server.start)

            async def is_ready_again() -> bool:
                return await ready(shop) == 200

            await until_asked(is_ready_again)
            await trio.sleep(RUSH)
            totals = await check(shop, url, load, [])
            assert load.record.refused[503] > 0, "some had to hear of it"
            assert totals.orders > 0
            nursery.cancel_scope.cancel()
        assert await db_check(url) == 0
