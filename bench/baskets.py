"""Baskets that are paid at the counter, against the plain counter's orders.

`POST /orders` has to be priced, has a payment of its own, and is answered with its lines; `POST
/order/` with `respond-async` is the least that an order costs. Both are placed on one shop with its
ledger in a file, in turn; no one brews, so that nothing else is in the figure.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.hammer import Counts
from bench.processes import PORTS, Server, program, serving
from bench.report import Row, Scale, at_least, at_most, progress

LEAST = 0.6
BASKET, COUNTER = "basket", "counter"
PEER = "POST /order/, respond-async"
MOST = "1000000000"
NO_LIMITS = (
    *("--max-waiting", MOST, "--limit-requests", MOST),
    *("--limit-waiting", MOST, "--limit-connections", MOST, "--ban-after", MOST),
)


def shop(file: Path) -> tuple[str, ...]:
    """Return the command line of a shop whose callers say who they are."""
    options = ("--log-format", "json", "--database-url", f"sqlite:///{file}")
    return ("tests.system.paying_shop", *PORTS, *options, *NO_LIMITS)


def measure(scale: Scale) -> list[Row]:
    """Measure both in turn, round after round."""
    rates: dict[str, list[float]] = {BASKET: [], COUNTER: []}
    costs: dict[str, list[float]] = {BASKET: [], COUNTER: []}
    with TemporaryDirectory() as folder, serving(shop(Path(folder, "cafe.db"))) as server:
        for number in range(scale.rounds):
            for kind in list(rates)[:: -1 if number % 2 else 1]:
                rate, cost = place(server, kind, scale.seconds / 2)
                rates[kind].append(rate)
                costs[kind].append(cost)
                progress(f"baskets, round {number + 1}: {kind} {rate:,.0f}/s, {cost:.0f} us")
    rate, peer = median(rates[BASKET]), median(rates[COUNTER])
    cost, peer_cost = median(costs[BASKET]), median(costs[COUNTER])
    figures = f"{rate:,.0f}/s", f"{peer:,.0f}/s", PEER, rate / peer
    spent = f"{cost:.0f} us", f"{peer_cost:.0f} us", PEER, cost / peer_cost
    return [
        Row("POST /orders, paid at the counter", *figures, *at_least(LEAST, rate / peer)),
        Row("processor time for each", *spent, *at_most(None, cost / peer_cost)),
    ]


def place(server: Server, kind: str, seconds: float) -> tuple[float, float]:
    """Return the orders per second, and the server's processor time for each in microseconds."""
    server.settle()  # what follows an order, as its payment, counts for it
    before = server.processor_seconds()
    argv = ("bench.placer", kind, str(server.client_port), str(seconds))
    with program(*argv, most_seconds=60) as started:
        counts = Counts(**json.loads(started.read()))
    server.settle()
    return counts.per_second, (server.processor_seconds() - before) / counts.sent * 1e6
