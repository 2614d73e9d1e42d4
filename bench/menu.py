"""The menu, asked for by clients that have it: `GET /menu` with a matching ETag.

Its peer is a no-op route of the same application on the same connection, so the ratio shows what
the route itself costs. The client is a process of its own on the other core.
"""

from __future__ import annotations

from statistics import median
from urllib.request import urlopen

from bench.noop import hammer
from bench.processes import serving
from bench.report import Row, Scale, at_least, at_most, progress

LEAST = 0.9


def measure(scale: Scale) -> list[Row]:
    """Measure both routes in turn, round after round."""
    with serving(("bench.peers.menu",)) as server:
        with urlopen(f"http://127.0.0.1:{server.client_port}/menu") as shown:
            etag: str = shown.headers["etag"]
        routes = {"menu": ("/menu", etag), "noop": ()}
        seen: dict[str, list[tuple[float, float]]] = {route: [] for route in routes}
        for number in range(scale.rounds):
            for route in list(routes)[:: -1 if number % 2 else 1]:
                seen[route].append(hammer(server, scale.seconds / 2, *routes[route]))
                progress(f"menu, round {number + 1}: {route} {seen[route][-1][0]:,.0f}/s")
    (rate, cost), (peer_rate, peer_cost) = (
        tuple(map(median, zip(*seen[route], strict=True))) for route in ("menu", "noop")
    )
    what, peer = "GET /menu with a matching ETag", "a no-op route"
    ratio = rate / peer_rate
    return [
        Row(what, f"{rate:,.0f}/s", f"{peer_rate:,.0f}/s", peer, ratio, *at_least(LEAST, ratio)),
        Row(
            f"processor time for each, {what}",
            f"{cost:.0f} us",
            f"{peer_cost:.0f} us",
            peer,
            cost / peer_cost,
            *at_most(None, cost / peer_cost),
        ),
    ]
