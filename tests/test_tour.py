"""The tour of docs/tour.md passes where an order passes: each stop is called, in this order.

Rule: the order is a real one, traced as `bench/hops.py` traces it, in a process of its own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
TOUR = (ROOT / "docs/tour.md").read_text("utf-8")
STOPS = 15
LINES = 3


class Stop(NamedTuple):
    """A function, in its module."""

    module: str
    function: str


STOP = re.compile(
    r"^\*\*(\d+)\. `([\w.]+)`\*\* in \[([\w/]+\.py)\]\(\.\./([\w/]+\.py)\)\n\n((?:\S.*\n)+)",
    re.MULTILINE,
)
FOUND = STOP.findall(TOUR)


@cache
def calls() -> list[Stop]:
    """Return the functions that an order passes, in the order of their first call in each step."""
    traced = [sys.executable, "-m", "bench.hops", "--calls"]
    done = subprocess.run(traced, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return [Stop(*line.split("\t")[:2]) for line in done.stdout.splitlines()]


def first_not_passed(stops: Iterable[Stop], calls: Sequence[Stop]) -> Stop | None:
    """Return the first stop that is not called after the stop before it; None if all are."""
    left = iter(calls)
    return next((stop for stop in stops if stop not in left), None)


def test_there_are_15_stops_each_with_three_lines() -> None:
    assert [int(number) for number, *_ in FOUND] == list(range(1, STOPS + 1))
    assert {number: len(why.splitlines()) for number, *_, why in FOUND} == {
        str(number): LINES for number in range(1, STOPS + 1)
    }
    assert [module for *_, module, linked, _ in FOUND if module != linked] == []


def test_an_order_passes_the_stops_in_their_order() -> None:
    stops = [Stop(module, function) for _, function, module, *_ in FOUND]
    assert first_not_passed(stops, calls()) is None


def test_a_stop_out_of_order_or_a_function_that_is_not_called_is_found() -> None:
    stops = [Stop(module, function) for _, function, module, *_ in FOUND]
    swapped = [*stops[:7], stops[8], stops[7], *stops[9:]]
    assert first_not_passed(swapped, calls()) == stops[7]
    missing = stops[4]._replace(function="place_nothing")
    assert first_not_passed([*stops[:4], missing, *stops[5:]], calls()) == missing
