"""Fail-over: from the kill of the house that owns the shop to the next committed order.

Two houses, two fronts, PostgreSQL and Redis, all on this machine, in a rush of customers and
baristas through both fronts. Again and again the owner gets SIGKILL, and from then on one more
customer at each front orders until an order is acknowledged, which it is once it is committed. So
what counts is what a customer sees: the end of the owner's session, the standby's start on the
ledger, the fronts' notice of it, and the commit. Then the killed house is started again, as the
next standby. At the end the torture's accounts have to agree: nothing that was acknowledged is lost
or was done twice.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

import trio

from bench.processes import BenchmarkError
from bench.report import FOR_THE_RECORD, Row, Scale, at_most, progress
from tests.cafe.ledger.postgres import running_server, why_not
from tests.machines.redis_server import running_redis
from tests.machines.redis_server import why_not as why_no_redis
from tests.machines.rush import Accounts, Rush, rush_on
from tests.machines.site import Site, new_site
from tests.system.load import PEER_ERRORS
from tests.system.raw_client import Client, request
from tests.system.shop import Shop

MOST_SECONDS = 3.0
"""From the kill to the next committed order, the worst of all."""
ADDRESS = "127.6.0.1"
"""Of the customers whose orders are timed."""
PAUSE = 0.01
"""Seconds until an order that was refused is sent again."""
SEED = 17


def measure(scale: Scale) -> list[Row]:
    """Kill the owner again and again; needs PostgreSQL and Redis."""
    for reason in (why_not(), why_no_redis()):
        if reason is not None:
            progress(f"failover: not measured: {reason}")
            return [Row(f"fail-over: {reason}", "", "", "", None, FOR_THE_RECORD)]
    with (
        TemporaryDirectory() as folder,
        running_server() as postgres,
        running_redis() as redis,
        new_site(postgres, redis, Path(folder)) as site,
    ):
        times = trio.run(kill_owners, site, scale.kills)
    worst = max(times)
    return [
        Row(
            f"from the owner's kill to the next committed order, {len(times)} kills, median",
            f"{median(times):.2f} s",
            "",
            "",
        ),
        Row(
            "the same, the worst",
            f"{worst:.2f} s",
            "",
            "",
            None,
            *at_most(MOST_SECONDS, worst, " s"),
        ),
    ]


async def kill_owners(site: Site, kills: int) -> list[float]:
    """Kill the owner so often in one rush; return the seconds that each took."""
    times: list[float] = []
    await site.open()
    try:
        async with rush_on(site, Accounts(), SEED) as rush:
            for number in range(kills):
                times.append(await kill_owner(site, rush))
                progress(f"failover, kill {number + 1}: {times[-1]:.2f} s")
                await site.open()
                await rush.goes_on()
    except* AssertionError as wrong:
        raise BenchmarkError(f"the accounts do not agree: {wrong.exceptions[0]}") from None
    await site.close()
    return times


async def kill_owner(site: Site, rush: Rush) -> float:
    """Kill the owner; return the seconds until the next order is committed."""
    owner = await site.owner()
    # At any moment of what the house does.
    await trio.sleep(Random(len(rush.record.acknowledged)).uniform(0.0, 0.5))  # noqa: S311 - no secret
    owner.kill()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def order(shop: Shop) -> None:
            await order_until_acknowledged(shop)
            nursery.cancel_scope.cancel()

        for shop in site.living_fronts():
            nursery.start_soon(order, shop)
    return trio.current_time() - began


async def order_until_acknowledged(shop: Shop) -> None:
    """Place an order that is collected later, as often as it takes."""
    while True:
        try:
            async with await shop.connect(ADDRESS) as stream:
                asked = request("POST", "/order/", "Prefer: respond-async")
                if (await Client(stream).ask(asked, "POST")).status == 202:
                    return
        except PEER_ERRORS:
            pass
        await trio.sleep(PAUSE)
