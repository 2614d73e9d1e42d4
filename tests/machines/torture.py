"""`make failures`: let machines and links fail at random, in a rush, and print the totals.

Rule: every ten failures have a new database and a new seed, which is printed before they begin.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic

import trio

from tests.cafe.ledger.postgres import PostgresServer, running_server
from tests.machines.failures import FAILURES
from tests.machines.redis_server import RedisServer, running_redis
from tests.machines.rush import Accounts, assert_clean, rush_on
from tests.machines.site import Site, new_site
from tests.system.torture import say

FAILURES_A_DATABASE = 10
HOUSES, FRONTS = 3, 3


def main() -> None:
    """Run as many failures as the command line asks for."""
    parser = argparse.ArgumentParser(
        description="Let machines and links fail, and check the ledger"
    )
    parser.add_argument("rounds", nargs="?", type=int, default=100, help="how many failures (100)")
    parser.add_argument("--seed", type=int, help="of the first ten, as printed")
    parser.add_argument("--only", choices=FAILURES, help="the one failure that happens")
    parser.add_argument(
        "--each", action="store_true", help="each failure once, one after the other"
    )
    arguments = parser.parse_args()
    rounds = len(FAILURES) if arguments.each else arguments.rounds
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    began, orders = monotonic(), 0
    with running_server() as postgres, running_redis() as redis:
        for first in range(0, rounds, FAILURES_A_DATABASE):
            failures = min(FAILURES_A_DATABASE, rounds - first)
            say(f"seed {seed + first}")
            chance = Random(seed + first)  # noqa: S311 - repeatable, with the seed that is printed
            names = [arguments.only or chance.choice(list(FAILURES)) for _ in range(failures)]
            if arguments.each:
                names = list(FAILURES)[first : first + failures]
            orders += fail_on_a_new_database(postgres, redis, names, chance.randrange(2**32))
            say(f"{monotonic() - began:6.0f} s  {first + failures} failures, {orders:,} orders")
    say(f"In {monotonic() - began:.0f} s no promise was broken: {orders:,} orders")


def fail_on_a_new_database(
    postgres: PostgresServer, redis: RedisServer, names: list[str], seed: int
) -> int:
    """Run these failures on a new site; return how many orders were answered."""
    with (
        tempfile.TemporaryDirectory() as folder,
        new_site(postgres, redis, Path(folder), houses=HOUSES, fronts=FRONTS, relayed=True) as site,
    ):
        return trio.run(partial(fail, site, names, seed))


async def fail(site: Site, names: list[str], seed: int) -> int:
    """Run one failure after the other; return how many orders were answered."""
    accounts = Accounts()
    await site.open()
    for number, name in enumerate(names):
        say(f"          {name.replace('_', ' ')}")
        async with rush_on(site, accounts, seed + number) as rush:
            await FAILURES[name](site, rush)
            await site.open()
    await assert_clean(site)
    await site.close()
    return len(accounts.record.numbers)


if __name__ == "__main__":
    main()
