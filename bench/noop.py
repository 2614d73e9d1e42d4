"""A no-op route: what the café's connection costs, without the café.

The same FastAPI application, and a bare ASGI endpoint beside it, on our connection, on trio's bare
`serve_tcp` with httptools (`bench/peers/bare.py`), and on the stock servers. The client is a
process of its own on the other core and may be the bottleneck: the more so, the less a request
costs the server. So the server's processor time for a request is shown too, without the client.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from statistics import median

from bench.hammer import Counts
from bench.processes import Server, program, serving
from bench.report import Row, Scale, at_least, at_most, progress

LEAST = 0.85
MOST_COST = 1.3
"""The targets against bare trio, with an application that costs almost nothing."""
OURS = "door"
BARE = "bare"
PEERS = {
    BARE: "trio's serve_tcp, httptools",
    "hypercorn": "hypercorn on trio",
    "uvicorn": "uvicorn on uvloop",
}
APPS = {"fastapi": "a no-op FastAPI route", "asgi": "a bare ASGI endpoint"}


def measure(scale: Scale) -> list[Row]:
    """Measure each application on every server in turn."""
    return [row for app in APPS for row in compare(app, scale)]


def compare(app: str, scale: Scale) -> list[Row]:
    """Measure one application round after round."""
    rates: dict[str, list[float]] = {server: [] for server in (OURS, *PEERS)}
    costs: dict[str, list[float]] = {server: [] for server in rates}
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(serving(("bench.peers.noop", name, app))) for name in rates
        }
        for number in range(scale.rounds):
            for name, server in servers.items():
                rate, cost = hammer(server, scale.seconds / 3)
                rates[name].append(rate)
                costs[name].append(cost)
                progress(f"noop, round {number + 1}: {app} on {name} {rate:,.0f}/s")
    return [
        row
        for peer in PEERS
        for row in rows(
            app,
            peer,
            (median(rates[OURS]), median(rates[peer])),
            (median(costs[OURS]), median(costs[peer])),
        )
    ]


def hammer(server: Server, seconds: float, *asked: str) -> tuple[float, float]:
    """Return the requests per second, and the server's processor time for each in microseconds.

    `asked` is a path and an entity tag, where it is not `/`.
    """
    before = server.processor_seconds()
    argv = ("bench.hammer", str(server.client_port), str(seconds), *asked)
    with program(*argv, most_seconds=60) as started:
        counts = Counts(**json.loads(started.read()))
    spent = server.processor_seconds() - before
    return counts.per_second, spent / counts.sent * 1e6


def rows(
    app: str, peer: str, rate: tuple[float, float], cost: tuple[float, float]
) -> tuple[Row, Row]:
    """Return the two rows that compare ours with one peer."""
    ratio, cost_ratio = rate[0] / rate[1], cost[0] / cost[1]
    least = LEAST if (app, peer) == ("fastapi", BARE) else None
    most = MOST_COST if (app, peer) == ("asgi", BARE) else None
    return (
        Row(
            f"{APPS[app]}, 64 connections",
            f"{rate[0]:,.0f}/s",
            f"{rate[1]:,.0f}/s",
            PEERS[peer],
            ratio,
            *at_least(least, ratio),
        ),
        Row(
            f"processor time for each, {APPS[app]}",
            f"{cost[0]:.0f} us",
            f"{cost[1]:.0f} us",
            PEERS[peer],
            cost_ratio,
            *at_most(most, cost_ratio),
        ),
    )
