"""Fail-over: from the kill of the house that owns the shop to the next committed order.

Two houses, two fronts, PostgreSQL and Redis, all on this machine, in a rush of customers and
baristas through both fronts. Again and again the owner gets SIGKILL, and from then on one more
customer at each front orders until an order is acknowledged, which it is once it is committed. So
what counts is what a customer sees: the end of the owner's session, the standby's start on the
ledger, the fronts' notice of it, and the commit. Then the killed house is started again, as the
next standby. At the end the torture's accounts have to agree: nothing that was acknowledged is lost
or was done twice.

The same is measured for an owner that is frozen (SIGSTOP), and for one that is cut off from the
database: there the standby looks at it for two seconds before it ends its session.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import trio

from bench.processes import BenchmarkError
from bench.report import FOR_THE_RECORD, Row, Scale, at_most, progress
from cafe.ledger.postgresql_fence import FENCE_SECONDS
from tests.cafe.ledger.postgres import running_server, why_not
from tests.machines.failures import gives_up
from tests.machines.processes import House
from tests.machines.redis_server import running_redis
from tests.machines.redis_server import why_not as why_no_redis
from tests.machines.rush import Accounts, Rush, rush_on
from tests.machines.site import Site, new_site
from tests.system.load import PEER_ERRORS
from tests.system.raw_client import Client, request
from tests.system.shop import Shop

MOST_SECONDS = 3.0
"""The limit of the worst time from the kill to the next committed order."""
ADDRESS = "127.6.0.1"
"""The address of the customers whose orders are timed."""
PAUSE = 0.01
"""The seconds until a refused order is retried."""
SEED = 17
FEWER = 4
"""One freeze and one cut link for this many kills."""


class End(NamedTuple):
    """One way in which a house stops being the owner."""

    name: str
    begin: Callable[[Site, House], object]
    mend: Callable[[Site, House], object]
    """Repairs the house once another house is the owner."""


def _kill(_site: Site, house: House) -> None:
    house.kill()


def _leave(_site: Site, _house: House) -> None:
    """Do nothing: `Site.open` restarts the house."""


def _freeze(_site: Site, house: House) -> None:
    house.freeze()


def _thaw(_site: Site, house: House) -> None:
    house.thaw()


def _cut(site: Site, house: House) -> None:
    site.to_database[house.name].cut()


def _heal(site: Site, house: House) -> None:
    site.to_database[house.name].heal()


KILL = End("the owner's kill", _kill, _leave)
FREEZE = End("SIGSTOP to the owner", _freeze, _thaw)
CUT = End("the cut of the owner's link to the database", _cut, _heal)


def measure(scale: Scale) -> list[Row]:
    """Measure each way to end the owner; needs PostgreSQL and Redis."""
    for reason in (why_not(), why_no_redis()):
        if reason is not None:
            progress(f"failover: not measured: {reason}")
            return [Row(f"fail-over: {reason}", "", "", "", None, FOR_THE_RECORD)]
    fewer = max(1, scale.kills // FEWER)
    with running_server() as postgres, running_redis() as redis:
        rows: list[Row] = []
        for end, times, most in (
            (KILL, scale.kills, MOST_SECONDS),
            (FREEZE, fewer, FENCE_SECONDS + MOST_SECONDS),
            (CUT, fewer, FENCE_SECONDS + MOST_SECONDS),
        ):
            with (
                TemporaryDirectory() as folder,
                new_site(postgres, redis, Path(folder), relayed=end is CUT) as site,
            ):
                rows += rows_of(end, trio.run(end_owners, site, end, times), most)
    return rows


def rows_of(end: End, times: list[float], most: float) -> list[Row]:
    """Return the rows of one kind of end; `most` is the limit of the worst time, in seconds."""
    worst = max(times)
    what = f"from {end.name} to the next committed order, {len(times)} times"
    limit = at_most(most, worst, " s")
    return [
        Row(f"{what}, median", f"{median(times):.2f} s", "", ""),
        Row("the same, the worst", f"{worst:.2f} s", "", "", None, *limit),
    ]


async def end_owners(site: Site, end: End, times: int) -> list[float]:
    """End the owner `times` times in one rush; return the seconds that each fail-over took."""
    taken: list[float] = []
    await site.open()
    try:
        async with rush_on(site, Accounts(), SEED) as rush:
            for number in range(times):
                taken.append(await end_owner(site, rush, end))
                progress(f"failover, {end.name}, {number + 1}: {taken[-1]:.2f} s")
                await site.open()
                await rush.goes_on()
    except* AssertionError as wrong:
        raise BenchmarkError(f"the accounts do not agree: {wrong.exceptions[0]}") from None
    await site.close()
    return taken


async def end_owner(site: Site, rush: Rush, end: End) -> float:
    """End the owner; return the seconds until another house has committed an order."""
    owner = await site.owner()
    # At a random moment of the house's work.
    await trio.sleep(Random(len(rush.record.acknowledged)).uniform(0.0, 0.5))  # noqa: S311 - no secret
    end.begin(site, owner)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def order(shop: Shop) -> None:
            await order_until_acknowledged(shop)
            nursery.cancel_scope.cancel()

        for shop in site.living_fronts():
            nursery.start_soon(order, shop)
    taken = trio.current_time() - began
    end.mend(site, owner)
    await gives_up(owner)
    return taken


async def order_until_acknowledged(shop: Shop) -> None:
    """Place an order that is collected later; retries until it is acknowledged."""
    while True:
        try:
            async with await shop.connect(ADDRESS) as stream:
                asked = request("POST", "/order/", "Prefer: respond-async")
                if (await Client(stream).ask(asked, "POST")).status == 202:
                    return
        except PEER_ERRORS:
            pass
        await trio.sleep(PAUSE)
