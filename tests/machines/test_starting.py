"""Houses and fronts start before the servers they need, and report what is missing."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

from tests.cafe.ledger.postgres import running_server
from tests.cafe.ledger.postgres import why_not as why_no_postgresql
from tests.machines.processes import CLIENT_ONLY, PAUSE, WORKER_ONLY, Front, Machine
from tests.machines.redis_server import RedisServer, running_redis
from tests.machines.redis_server import why_not as why_no_redis
from tests.machines.site import Site, new_site, together
from tests.system.api import brew, look, order
from tests.system.until import TIMEOUT

pytestmark = [pytest.mark.once, pytest.mark.slow]

OTHER_RELEASE = bytes([99, 0])
"""The header of a batch of another version."""


@pytest.fixture
def apart(tmp_path: Path) -> Generator[tuple[Site, Front, Front]]:
    """Yield a site with one house, a front for customers and one for baristas; none runs.

    It has its own servers, so that other sites are not affected by stopping them.
    """
    for reason in (why_no_postgresql(), why_no_redis()):
        if reason is not None:
            pytest.skip(reason)
    with (
        running_server() as postgres,
        running_redis() as redis,
        new_site(postgres, redis, tmp_path, houses=1, fronts=0) as site,
    ):
        client, worker = (
            Front(tmp_path, name, redis.url, only)
            for name, only in (("client", CLIENT_ONLY), ("worker", WORKER_ONLY))
        )
        site.fronts += [client, worker]
        yield site, client, worker


async def test_fronts_with_one_port_start_before_the_house_and_report_what_is_missing(
    apart: tuple[Site, Front, Front],
) -> None:
    site, client, worker = apart
    house, redis, postgres = site.houses[0], site.redis, site.postgres
    # A house without its database, and fronts without a house.
    await trio.to_thread.run_sync(postgres.stop)
    for machine in site.machines:
        machine.start()
    await house.until_not_ready("ledger")
    for front in (client, worker):
        await front.until_not_ready("house")
    async with client.shop.customers() as customer:
        refused = await customer.post("/api/v1/order/")
        assert (refused.status_code, refused.json()["reason"]) == (503, "house")
        assert "retry-after" in refused.headers
        assert (await customer.get("/livez")).status_code == 200
    await trio.to_thread.run_sync(postgres.start)
    await are_ready(house, client, worker)

    # Each front has its own port, and not the other.
    async with client.shop.customers() as customer, worker.shop.baristas() as barista:
        placed = await order(customer)
        await brew(barista)
        assert (await look(customer, placed["order_id"]))["status"] == "ready"
        # A front of another release does not harm a house, which skips its asks.
        redis.raw_command(b"XADD", b"cafe:cafe:asks", b"*", b"b", OTHER_RELEASE)
        assert (await order(customer))["number"] == 2
        await house.log.line("ask of another release")
    async with client.shop.baristas() as barista, worker.shop.customers() as customer:
        for closed, path in ((barista, "/start/"), (customer, "/order/")):
            with pytest.raises(httpx.ConnectError):
                await closed.get(path)

    with redis.frozen():
        await together(partial(one.until_not_ready, "bus") for one in site.machines)
    await are_ready(house, client, worker)
    house.kill()
    for front in (client, worker):
        await front.until_not_ready("house")
    await site.close()


async def test_a_front_that_waits_for_a_house_ends_on_sigterm(
    redis: RedisServer, tmp_path: Path
) -> None:
    front = Front(tmp_path, "alone", redis.url, shop="empty")
    front.start()
    try:
        await front.log.line("no house answers")
        front.ask_to_stop()
        assert await front.ended() == 0
    finally:
        if front.is_running:
            front.kill()


async def test_a_front_of_another_release_than_its_house_ends_with_one_line(
    redis: RedisServer, tmp_path: Path
) -> None:
    front = Front(tmp_path, "old", redis.url, shop="newer")
    front.start()
    try:
        with trio.fail_after(TIMEOUT):
            while front.is_running:
                redis.raw_command(b"XADD", b"cafe:newer:log", b"*", b"b", OTHER_RELEASE)
                await trio.sleep(PAUSE)
        assert await front.ended() == 2
        (line,) = front.log.lines("not served")
        assert "version 99" in line["detail"]
        assert "run one release of the café on all machines" in line["detail"]
        assert "Traceback" not in front.log.text
    finally:
        if front.is_running:
            front.kill()


async def are_ready(*machines: Machine) -> None:
    """Wait until all of these are ready."""
    await together(one.until_ready for one in machines)
