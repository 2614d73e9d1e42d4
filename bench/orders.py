"""Full orders per second: order, start and finish over keep-alive connections.

200 customers and 20 baristas without a pause, against the café with actors, limits, logs and
metrics, and against the same three routes as a plain dictionary of events. The processor time is
the server's alone: what the load and the machine's other work cost is not in it.
"""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median

from bench.processes import CAFE, PLAIN_HYPERCORN, PLAIN_UVICORN, rush, serving
from bench.report import PLAIN_ON_HYPERCORN, PLAIN_ON_UVICORN, Row, Scale, progress

TIMES_STOCK = 3.0
TIMES_FASTEST = 1.0

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
    rate = {side: median(rates[side]) for side in SIDES}
    cost_ms = {side: median(costs[side]) for side in SIDES}
    rows: list[Row] = []
    for peer, least in ((PLAIN_ON_HYPERCORN, TIMES_STOCK), (PLAIN_ON_UVICORN, TIMES_FASTEST)):
        rows += [
            Row(
                "full orders, 200 customers and 20 baristas",
                f"{rate['café']:.0f}/s",
                f"{rate[peer]:.0f}/s",
                peer,
                rate["café"] / rate[peer],
                f"at least {least}",
                rate["café"] / rate[peer] >= least,
            ),
            Row(
                "the server's processor time for each",
                f"{cost_ms['café']:.2f} ms",
                f"{cost_ms[peer]:.2f} ms",
                peer,
                cost_ms["café"] / cost_ms[peer],
            ),
        ]
    return rows
