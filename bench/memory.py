"""Memory: at rest, and after orders have come and gone.

At rest means right after the ports have opened, with all defaults, as the system reports it
(VmRSS). Completed orders may leave nothing: so the café after some thousand orders is the peer of
the café after a quarter more. `bench/parked.py` measures the orders that stay.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.processes import PLAIN_UVICORN, cafe, rush, serving, serving_as_started
from bench.report import PLAIN_ON_UVICORN, Row, Scale, at_most, progress

MIB = 1024**2
MOST_AT_REST = 80.0
MOST_SECONDS = 100.0
MOST_GROWTH = 1.02
"""Python allocates a MiB at a time: one more in 80 MiB is not growth, two are."""


def measure(scale: Scale) -> list[Row]:
    """Measure both."""
    with serving_as_started() as server, serving(PLAIN_UVICORN) as peer:
        rest, peers = server.memory() / MIB, peer.memory() / MIB
    progress(f"memory: {rest:.1f} MiB at rest")
    (first, early), (second, late) = passing(scale)
    return [
        Row(
            "memory at rest, all defaults",
            f"{rest:.1f} MiB",
            f"{peers:.1f} MiB",
            PLAIN_ON_UVICORN,
            rest / peers,
            *at_most(MOST_AT_REST, rest, " MiB"),
        ),
        Row(
            f"memory after {second:,} orders have come and gone",
            f"{late:.1f} MiB",
            f"{early:.1f} MiB",
            f"the café after {first:,}",
            late / early,
            *at_most(MOST_GROWTH, late / early),
        ),
    ]


def passing(scale: Scale) -> list[tuple[int, float]]:
    """Return the numbers of orders and the café's MiB after them, at two moments.

    At the first, all bounded caches are full; the second is a quarter more orders later. On a slow
    machine the time limit comes first, so each has the number of orders that were served.
    """
    moments: list[tuple[int, float]] = []
    # Not with the database in memory: there every order would stay, by definition.
    with tempfile.TemporaryDirectory() as folder, serving(in_file(folder)) as server:
        passed = 0
        for orders in (scale.passing, scale.passing // 4):
            passed += rush(server, orders=orders, seconds=MOST_SECONDS).orders
            moments.append((passed, server.memory() / MIB))
            progress(f"memory: {moments[-1][1]:.1f} MiB after {passed:,} orders")
    return moments


def in_file(folder: str) -> tuple[str, ...]:
    """Return the command line of a café with a database in a folder."""
    return cafe(f"sqlite:///{Path(folder, 'cafe.db')}")
