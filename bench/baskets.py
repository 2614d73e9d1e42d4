"""Baskets that are paid at the counter, against the plain counter's orders.

An order of `POST /orders` has to be priced, has a payment of its own, and is answered with its
lines; `POST /order/` with `respond-async` is the cheapest order. Both are placed in turn in one
shop with its ledger in a file; no one brews, so that nothing else is in the figure.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx

from bench.hammer import Counts
from bench.processes import Server, cafe, program, serving
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
    """Return the command line of a shop without limits, whose baskets are paid at the counter."""
    return (*cafe(f"sqlite:///{file}"), *NO_LIMITS)


def signed_in(port: int) -> str:
    """Register a customer, and return an access token."""
    account = {"email": "ada@example.com", "password": "correct horse"}
    form = {"username": account["email"], "password": account["password"]}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as customer:
        customer.post("/auth/register", json=account).raise_for_status()
        token: str = customer.post("/auth/token", data=form).json()["access_token"]
    return token


def measure(scale: Scale) -> list[Row]:
    """Measure both in turn, round after round."""
    rates: dict[str, list[float]] = {BASKET: [], COUNTER: []}
    costs: dict[str, list[float]] = {BASKET: [], COUNTER: []}
    with TemporaryDirectory() as folder, serving(shop(Path(folder, "cafe.db"))) as server:
        token = signed_in(server.client_port)
        for number in range(scale.rounds):
            for kind in list(rates)[:: -1 if number % 2 else 1]:
                rate, cost = place(server, kind, scale.seconds / 2, token)
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


def place(server: Server, kind: str, seconds: float, token: str) -> tuple[float, float]:
    """Return the orders per second, and the server's processor time for each in microseconds."""
    server.settle()  # work that follows an order, such as its payment, counts for it
    before = server.processor_seconds()
    argv = ("bench.placer", kind, str(server.client_port), str(seconds), token)
    with program(*argv, most_seconds=60) as started:
        counts = Counts(**json.loads(started.read()))
    server.settle()
    return counts.per_second, (server.processor_seconds() - before) / counts.sent * 1e6
