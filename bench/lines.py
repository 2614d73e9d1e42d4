"""The cost of a line of the log: in the console's format, compared with JSON.

Rule: both are written as the café writes them, through `cafe.operations.logs` inside trio's loop,
ten lines a pass, the line of an answered request; to /dev/null, so that no disk is measured. The
slices take turns in one process and are measured in processor time.
Run as `python -m bench.lines SLICES`; prints microseconds a line as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import cycle, islice, permutations
from statistics import median
from time import process_time
from typing import Literal

import structlog
import trio

from bench.processes import program
from bench.report import Row, Scale, at_most
from cafe.operations.logs import set_up_logs

MOST = 1.5
A_PASS = 10
LINES = 5_000
Form = Literal["console", "json"]
FORMS: tuple[Form, Form] = ("console", "json")


def measure(scale: Scale) -> list[Row]:
    """Measure both in a process of their own, whose standard error is /dev/null."""
    slices = str(8 * scale.rounds)
    with program("bench.lines", slices, most_seconds=120, errors=subprocess.DEVNULL) as started:
        costs: dict[str, float] = json.loads(started.read())
    ratio = costs["console"] / costs["json"]
    return [
        Row(
            "a line of the log on the console",
            f"{costs['console']:.1f} us",
            f"{costs['json']:.1f} us",
            "the same line as JSON",
            ratio,
            *at_most(MOST, ratio),
        )
    ]


def cost(form: Form) -> float:
    """Return the microseconds that a line of this form takes."""
    instruments = set_up_logs(form)
    begin = process_time()
    trio.run(write, structlog.get_logger("request"), instruments=instruments)
    return (process_time() - begin) / LINES * 1e6


async def write(log: structlog.stdlib.BoundLogger) -> None:
    """Write the log's lines of requests."""
    for number in range(LINES):
        log.info(
            "request",
            app="client",
            method="POST",
            route="/order",
            status=200,
            duration_ms=number / 100,
            address="192.0.2.1",
            request_id="0123456789abcdef",
        )
        if number % A_PASS == 0:
            await trio.lowlevel.checkpoint()


def main(slices: int) -> None:
    """Measure this many slices of each, and print the medians."""
    costs: dict[Form, list[float]] = {form: [] for form in FORMS}
    for order in islice(cycle(permutations(FORMS)), slices):
        for form in order:
            costs[form].append(cost(form))
    print(json.dumps({form: median(costs[form]) for form in FORMS}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
