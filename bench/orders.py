"""Full orders per second: order, start and finish over keep-alive connections.

200 customers and 20 baristas without a pause, against the café with actors, limits, logs and
metrics, and against the same three routes as a plain dictionary of events.
"""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median

from bench.processes import CAFE, PLAIN_HYPERCORN, PLAIN_UVICORN, rush, serving
from bench.report import PLAIN_ON_HYPERCORN, PLAIN_ON_UVICORN, Row, Scale, progress

SIDES = {
    "café": CAFE,
    PLAIN_ON_HYPERCORN: PLAIN_HYPERCORN,
    PLAIN_ON_UVICORN: PLAIN_UVICORN,
}


def measure(scale: Scale) -> list[Row]:
    """Measure every side in turn, round after round."""
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    costs: dict[str, list[float]] = {side: [] for side in SIDES}
    with ExitStack() as stack:
        servers = {side: stack.enter_context(serving(argv)) for side, argv in SIDES.items()}
        for number in range(scale.rounds):
            for side, server in servers.items():
                before = server.processor_seconds()
                result = rush(server, warm=1.0, seconds=scale.seconds)
                cost = (server.processor_seconds() - before) / result.placed
                rates[side].append(result.per_second)
                costs[side].append(cost * 1000)
                progress(f"orders, round {number + 1}: {side} {result.per_second:.0f}/s")
    what = "full orders, 200 customers and 20 baristas"
    our_cost, stock_cost, _ = (median(costs[side]) for side in SIDES)
    ours, stock, fastest = (median(rates[side]) for side in SIDES)
    return [
        Row(
            what,
            f"{ours:.0f}/s",
            f"{stock:.0f}/s",
            PLAIN_ON_HYPERCORN,
            ours / stock,
            "at least 1.0",
            ours >= stock,
        ),
        Row(
            "the server's processor time for each",
            f"{our_cost:.2f} ms",
            f"{stock_cost:.2f} ms",
            PLAIN_ON_HYPERCORN,
            our_cost / stock_cost,
        ),
        Row(what, f"{ours:.0f}/s", f"{fastest:.0f}/s", PLAIN_ON_UVICORN, ours / fastest),
    ]
