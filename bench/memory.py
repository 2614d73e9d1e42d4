"""Memory: what a parked order costs, and what is left of orders that came and went.

A parked order is a customer's open connection, its request and its place in the queue, all in
the server's resident memory.
"""

from __future__ import annotations

from bench.processes import CAFE, PLAIN_HYPERCORN, load, result_of, rush, serving
from bench.report import PLAIN_ON_HYPERCORN, Row, Scale, progress

KIB = 1024
MOST_KIB = 36.0
MOST_SECONDS = 100.0
MOST_GROWTH = 1.02
"""Python takes memory a MiB at a time: one step more in 80 MiB is not growth, two are."""


def measure(scale: Scale) -> list[Row]:
    """Measure both: parked orders against the plain peer's, the passing ones against themselves."""
    ours, peers = (parked_kib(argv, scale) for argv in (CAFE, PLAIN_HYPERCORN))
    (first, early), (second, late) = passing(scale)
    return [
        Row(
            f"memory of a parked order, {scale.parked:,} of them",
            f"{ours:.1f} KiB",
            f"{peers:.1f} KiB",
            PLAIN_ON_HYPERCORN,
            ours / peers,
            f"at most {MOST_KIB:.0f} KiB",
            ours <= MOST_KIB,
        ),
        Row(
            f"memory after {second:,} orders have come and gone",
            f"{late:.1f} MiB",
            f"{early:.1f} MiB",
            f"the café after {first:,}",
            late / early,
            f"ratio at most {MOST_GROWTH}",
            late / early <= MOST_GROWTH,
        ),
    ]


def parked_kib(argv: tuple[str, ...], scale: Scale) -> float:
    """Give what one parked order adds to a warm server, in KiB."""
    with serving(argv) as server:
        rush(server, orders=500)
        before = server.memory()
        with load(server, customers=scale.parked, parked=True) as customers:
            while customers.read() != "parked":
                pass
            after = server.memory()
            customers.go_on()
            result_of(customers)
    each = (after - before) / scale.parked / KIB
    progress(f"memory: {each:.1f} KiB a parked order with {argv[0]}")
    return each


def passing(scale: Scale) -> list[tuple[int, float]]:
    """Give the café's memory in MiB after so many orders, and after a quarter more.

    By the first look all that is bounded has filled. A slow machine has less time than it wants,
    so each look says after how many orders it was.
    """
    looks: list[tuple[int, float]] = []
    with serving(CAFE) as server:
        passed = 0
        for orders in (scale.passing, scale.passing // 4):
            passed += rush(server, orders=orders, seconds=MOST_SECONDS).orders
            looks.append((passed, server.memory() / KIB**2))
            progress(f"memory: {looks[-1][1]:.1f} MiB after {passed:,} orders")
    return looks
