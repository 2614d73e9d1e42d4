"""Parked orders: the memory of ten thousand of them, and how soon all are served.

A parked order is a customer's open connection, its request and its place in the queue, all in the
server's resident memory. As many as the queue takes are parked, claimed, and then finished at once
by 500 baristas, each over a connection of its own, one finish after the other. The figure is the
time from *sending* the last `POST /finish/` until the last customer has received the 200, so that
it includes work that the server has deferred until then. The load's clock measures both times.
"""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from bench.processes import CAFE, PLAIN_HYPERCORN, load, result_of, rush, serving
from bench.report import PLAIN_ON_HYPERCORN, Row, Scale, at_most, progress

KIB = 1024
MOST_KIB = 14.0
MOST_SECONDS = 2.0
BARISTAS = 500


class Crowd(NamedTuple):
    """The figures of one crowd of parked customers."""

    kib: float
    """The memory that each order adds to a warm server."""
    tail: float
    """Seconds from the last finish to the last 200."""
    serving: float
    """Seconds from the first finish to the same."""


def measure(scale: Scale) -> list[Row]:
    """Measure both, with fewer rounds: a crowd takes half a minute, and the peer's twice that."""
    sides = {"café": CAFE, PLAIN_ON_HYPERCORN: PLAIN_HYPERCORN}
    crowds: dict[str, list[Crowd]] = {side: [] for side in sides}
    rounds = {"café": scale.rounds // 2 or 1, PLAIN_ON_HYPERCORN: 1}
    for side, argv in sides.items():
        for number in range(rounds[side]):
            crowd = park(argv, scale)
            crowds[side].append(crowd)
            shown = f"{crowd.kib:.1f} KiB each, {crowd.tail:.2f} of {crowd.serving:.1f} s"
            progress(f"parked, round {number + 1}: {side} {shown}")
    ours, peers = (Crowd(*map(median, zip(*crowds[side], strict=True))) for side in sides)
    return [
        Row(
            f"memory of a parked order, {scale.parked:,} of them",
            f"{ours.kib:.1f} KiB",
            f"{peers.kib:.1f} KiB",
            PLAIN_ON_HYPERCORN,
            ours.kib / peers.kib,
            *at_most(MOST_KIB, ours.kib, " KiB"),
        ),
        Row(
            "all finished at once: last finish to last 200",
            f"{ours.tail:.2f} s",
            f"{peers.tail:.2f} s",
            PLAIN_ON_HYPERCORN,
            ours.tail / peers.tail,
            *at_most(MOST_SECONDS, ours.tail, " s"),
        ),
        Row(
            "the same from the first finish on",
            f"{ours.serving:.1f} s",
            f"{peers.serving:.1f} s",
            PLAIN_ON_HYPERCORN,
            ours.serving / peers.serving,
        ),
    ]


def park(argv: tuple[str, ...], scale: Scale) -> Crowd:
    """Fill a warm server with parked orders, measure its memory, serve them all."""
    with serving(argv) as server:
        rush(server, orders=500)
        before = server.memory()
        plan = {"customers": scale.parked, "baristas": BARISTAS, "parked": True}
        with load(server, **plan) as customers:
            while customers.read() != "parked":
                pass
            each = (server.memory() - before) / scale.parked / KIB
            customers.go_on()
            result = result_of(customers)
    return Crowd(each, result.tail, result.serving)
