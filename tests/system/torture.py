"""`make torture`: kill the shop under load a hundred times, and print the totals.

Rule: each ten kills have a new database, and a seed, which is printed before they begin.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from functools import partial
from time import monotonic

import trio

from tests.system.killing import Totals, kill_repeatedly

KILLS_A_DATABASE = 10


def main() -> None:
    """Kill the shop as often as the command line says."""
    parser = argparse.ArgumentParser(description="Kill the shop, and check its ledger")
    parser.add_argument("rounds", nargs="?", type=int, default=100, help="how many kills (100)")
    parser.add_argument("--seed", type=int, help="of the first ten, as printed")
    arguments = parser.parse_args()
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    began, total = monotonic(), Totals()
    for first in range(0, arguments.rounds, KILLS_A_DATABASE):
        kills = min(KILLS_A_DATABASE, arguments.rounds - first)
        say(f"seed {seed + first}")
        total += kill_on_a_new_database(kills, seed + first, first, began)
    say(f"In {monotonic() - began:.0f} s no promise was broken: {total}")


def kill_on_a_new_database(kills: int, seed: int, first: int, began: float) -> Totals:
    """Kill a shop with a new database so often; return the totals."""

    def report(number: int, totals: Totals | None) -> None:
        what = totals or "to be killed again while clients still retry"
        say(f"{monotonic() - began:6.0f} s  round {first + number}: {what}")

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/cafe.db"
        return trio.run(partial(kill_repeatedly, url, kills=kills, seed=seed, report=report))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
