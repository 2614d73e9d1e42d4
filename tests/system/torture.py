"""`make torture`: kill the shop at full speed, a hundred times, and tell what came of it.

Rule: each ten kills have a database of their own, and a seed, which is told before they begin.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from functools import partial
from time import monotonic

import trio

from tests.system.killing import Figures, play

KILLS_A_DATABASE = 10


def main() -> None:
    """Read the number of rounds from the command line, and play them."""
    parser = argparse.ArgumentParser(description="Kill the shop, and see whether it keeps its word")
    parser.add_argument("rounds", nargs="?", type=int, default=100, help="how many kills (100)")
    parser.add_argument("--seed", type=int, help="of the first ten, as it was told")
    arguments = parser.parse_args()
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    began, total = monotonic(), Figures()
    for first in range(0, arguments.rounds, KILLS_A_DATABASE):
        kills = min(KILLS_A_DATABASE, arguments.rounds - first)
        say(f"seed {seed + first}")
        total += play_on_a_new_database(kills, seed + first, first, began)
    say(f"In {monotonic() - began:.0f} s all was kept: {total}")


def play_on_a_new_database(kills: int, seed: int, first: int, began: float) -> Figures:
    """Kill a new shop so often."""

    def tell(life: int, figures: Figures | None) -> None:
        what = figures or "to be killed again before all have come back"
        say(f"{monotonic() - began:6.0f} s  round {first + life}: {what}")

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/cafe.db"
        return trio.run(partial(play, url, kills=kills, seed=seed, tell=tell))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
