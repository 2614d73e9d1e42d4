"""A delivery, published and finished, with many couriers and districts against few.

The peer is the same café with a hundredth of the couriers. The same deliveries are made in both in
turn, one after the other over one connection; the figure is the server's processor time, to which
other work on the machine adds nothing.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx

from bench.processes import BenchmarkError, Server, cafe, serving
from bench.report import Row, Scale, at_most, progress
from cafe.accounts.tokens import tokens_of

MOST = 1.5
FEW = 10
DISTRICTS = 50
"""The most districts; a courier has one."""
PAIRS = 300
"""Deliveries of one round."""
SECRET = "a secret of the benchmarks, and long enough"  # noqa: S105 - protects nothing
OPTIONS = ("--jwt-secret", SECRET)


class Town:
    """A café with couriers, and a manager who publishes deliveries and finishes them."""

    def __init__(self, server: Server, manager: httpx.Client) -> None:
        self._server = server
        self._manager = manager
        self._districts: list[str] = []
        self._numbers = count()

    def settle_couriers(self, couriers: int) -> None:
        """Add this many couriers, each for one of the districts."""
        self._sign_in()
        for number in range(min(couriers, DISTRICTS)):
            self._post("/districts", {"name": f"District {number}"}, 201)
            self._districts.append(f"District {number}")
        for number in range(couriers):
            district = self._districts[number % len(self._districts)]
            self._post("/couriers", {"name": f"Courier {number}", "districts": [district]}, 201)

    def deliver(self, pairs: int) -> float:
        """Publish and finish; return the microseconds of the server's processor time for each."""
        self._sign_in()
        self._server.settle()
        before = self._server.processor_seconds()
        for _, number in zip(range(pairs), self._numbers, strict=False):
            district = self._districts[number % len(self._districts)]
            wish = {"name": "a cake", "district": district, "address": "1 High Street"}
            order_id = self._post("/deliveries", wish, 201)["order_id"]
            self._post(f"/deliveries/{order_id}/finish", None, 200)
        self._server.settle()  # work that follows a delivery counts for it
        return (self._server.processor_seconds() - before) / pairs * 1e6

    def _sign_in(self) -> None:
        """Sign in with the token that commands use, which is valid for a minute."""
        token = tokens_of(SECRET.encode()).operator(time.time())
        self._manager.headers["Authorization"] = f"Bearer {token}"

    def _post(self, path: str, body: object, status: int) -> dict[str, str]:
        response = self._manager.post(path, json=body)
        if response.status_code != status:
            raise BenchmarkError(f"{path}: {response.status_code} {response.text}")
        members: dict[str, str] = response.json()
        return members


@contextmanager
def town(folder: str, couriers: int) -> Generator[Town]:
    """Start a café with this many couriers."""
    with serving((*cafe(f"sqlite:///{Path(folder, f'{couriers}.db')}"), *OPTIONS)) as server:
        url = f"http://127.0.0.1:{server.worker_port}"
        with httpx.Client(base_url=url, timeout=60) as manager:
            one = Town(server, manager)
            one.settle_couriers(couriers)
            progress(f"deliveries: {couriers:,} couriers are on duty")
            yield one


def measure(scale: Scale) -> list[Row]:
    """Measure both in turn, round after round."""
    with (
        TemporaryDirectory() as folder,
        town(folder, scale.couriers) as large,
        town(folder, FEW) as small,
    ):
        seen: dict[Town, list[float]] = {large: [], small: []}
        for number in range(scale.rounds):
            for one in list(seen)[:: -1 if number % 2 else 1]:
                seen[one].append(one.deliver(PAIRS))
            progress(f"deliveries, round {number + 1}: {seen[large][-1]:.0f} us")
    cost, peer_cost = median(seen[large]), median(seen[small])
    return [
        Row(
            f"processor time of a delivery and its finish, {scale.couriers:,} couriers",
            f"{cost:.0f} us",
            f"{peer_cost:.0f} us",
            f"the café with {FEW}",
            cost / peer_cost,
            *at_most(MOST, cost / peer_cost),
        )
    ]
