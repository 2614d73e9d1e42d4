"""A PostgreSQL primary dies, and its replica is promoted."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
import trio

from tests.cafe.ledger.postgres import PostgresServer, running_replica, running_server
from tests.cafe.ledger.postgres import why_not as why_no_postgresql
from tests.machines.redis_server import running_redis
from tests.machines.redis_server import why_not as why_no_redis
from tests.machines.site import Site, new_site
from tests.system.api import brew, look, order, park
from tests.system.killing import db_check
from tests.system.raw_client import Client
from tests.system.until import until_asked

pytestmark = [pytest.mark.once, pytest.mark.slow]


@pytest.fixture
def replicated(tmp_path: Path) -> Generator[tuple[Site, PostgresServer]]:
    """Yield a site, and the replica of its PostgreSQL server."""
    for reason in (why_no_postgresql(), why_no_redis()):
        if reason is not None:
            pytest.skip(reason)
    with (
        running_server() as primary,
        running_replica(primary) as replica,
        running_redis() as redis,
        new_site(primary, redis, tmp_path, fronts=1) as site,
    ):
        yield site, replica


async def test_orders_go_on_at_a_promoted_replica_and_none_is_lost(
    replicated: tuple[Site, PostgresServer],
) -> None:
    site, replica = replicated
    await site.open()
    (front,) = site.fronts
    async with (
        front.shop.customers() as customer,
        front.shop.baristas() as barista,
        await park(front.shop, "127.0.0.7") as waiting,
    ):

        async def is_in_the_queue() -> bool:
            return bool((await customer.get("/queue")).json()["waiting"])

        await until_asked(is_in_the_queue)
        placed = [await order(customer) for _ in range(3)]
        await trio.to_thread.run_sync(site.postgres.stop, "immediate")
        await trio.to_thread.run_sync(replica.promote)
        await site.owner()
        await front.until_ready()
        placed.append(await order(customer))
        brewed = [(await brew(barista))["number"] for _ in range(5)]
        assert brewed == [1, 2, 3, 4, 5]
        assert (await Client(waiting).read("POST")).status == 200
        for one in placed:
            assert (await look(customer, one["order_id"]))["status"] == "ready"
    await site.close()
    assert await db_check(site.database_url) == 0
