"""A thousand boards on the walls: what they cost the counter, and the memory of each.

The peer is the same café with no board open. Both get the same load in turn, 200 customers and 20
baristas without a pause, so that the board changes all the time and each board gets a new state
every three quarters of a second. A separate process reads the boards, which takes processor time
from the load; so the processor time of the café for an order is compared, too.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from statistics import median
from typing import Final, NamedTuple

from bench.processes import (
    CAFE,
    BenchmarkError,
    Program,
    Server,
    load,
    program,
    result_of,
    rush,
    serving,
)
from bench.report import Row, Scale, at_least, at_most, progress
from bench.watchers import Watched

LEAST: Final = 0.9
MOST_KIB: Final = 20.0
KIB: Final = 1024
NONE: Final = "the café without boards"
PACE: Final = 0.75
"""Seconds between two states of a board under load."""


class Round(NamedTuple):
    """The figures of the counter in a round."""

    rate: float
    """Full orders per second."""
    cost: float
    """Microseconds of the server's processor time for each."""


def measure(scale: Scale) -> list[Row]:
    """Measure with and without boards in turn, round after round."""
    seen: dict[bool, list[Round]] = {True: [], False: []}
    with serving(CAFE) as server:
        rush(server, orders=500)
        kib = memory(server, scale.boards)
        for number in range(scale.rounds):
            for has_boards in (True, False) if number % 2 == 0 else (False, True):
                seen[has_boards].append(one_round(server, scale, has_boards=has_boards))
            shown = ", ".join(f"{seen[one][-1].rate:.0f}/s" for one in (True, False))
            progress(f"boards, round {number + 1}: {shown} without")
    with_boards, without = (Round(*map(median, zip(*seen[one], strict=True))) for one in seen)
    return [
        Row(
            f"full orders with {scale.boards:,} boards open",
            f"{with_boards.rate:.0f}/s",
            f"{without.rate:.0f}/s",
            NONE,
            with_boards.rate / without.rate,
            *at_least(LEAST, with_boards.rate / without.rate),
        ),
        Row(
            "processor time for each, the boards' included",
            f"{with_boards.cost:.0f} us",
            f"{without.cost:.0f} us",
            NONE,
            with_boards.cost / without.cost,
        ),
        Row(
            f"memory of a board, {scale.boards:,} of them",
            f"{kib:.1f} KiB",
            "",
            "",
            None,
            *at_most(MOST_KIB, kib, " KiB"),
        ),
    ]


def memory(server: Server, boards: int) -> float:
    """Return the KiB that each board adds to the memory of a warm server."""
    before = server.memory()
    with watching(server, boards):
        return (server.memory() - before) / boards / KIB


def one_round(server: Server, scale: Scale, *, has_boards: bool) -> Round:
    """Measure the counter for some seconds, with boards open or with none."""
    if not has_boards:
        return counter(server, scale.seconds)
    with watching(server, scale.boards) as watched:
        done = counter(server, scale.seconds)
        watched.go_on()
        line: dict[str, int] = json.loads(watched.read())
    if Watched(**line).least < scale.seconds / PACE / 2:
        raise BenchmarkError(f"a board got {line['least']} states in {scale.seconds:g} s")
    return done


def counter(server: Server, seconds: float) -> Round:
    """Order, start and finish without a pause."""
    with load(server, warm=1.0, seconds=seconds) as customers:
        while customers.read() != "warm":
            pass
        before = server.processor_seconds()
        result = result_of(customers)
        spent = server.processor_seconds() - before
    return Round(result.per_second, spent / (result.per_second * seconds) * 1e6)


@contextmanager
def watching(server: Server, boards: int) -> Generator[Program]:
    """Keep this many boards open during the block."""
    argv = ("bench.watchers", str(server.client_port), str(boards))
    with program(*argv, most_seconds=240) as watched:
        while watched.read() != "open":
            pass
        yield watched
