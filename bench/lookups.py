"""Look-ups of unknown ids: how long a regular's order takes while strangers guess.

Ten addresses ask for orders, finish orders, or use keys that do not exist, at a rate that the
limits would allow. The café's look-ups in its database for them may not delay the regulars.
The peer is the same café while as many ask `GET /queue`, which needs no look-up. A random key
places an order, and that costs more than any look-up; so its peer is as many orders without a key,
and the rate of both is lower, so that the baristas serve them as they come.

The figure is a regular's median wait for a whole order, with baristas whose requests wait for one,
so that it has only the shop's own work. Both databases are measured: on PostgreSQL each look-up
is a round trip. A café that does not keep up with the rate has missed its target, whatever the
wait.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.processes import Server, cafe, load, program, result_of, serving
from bench.report import FOR_THE_RECORD, Row, Scale, at_most, progress
from tests.cafe.ledger.postgres import running_server, why_not

MOST = 1.2
LEAST_PACE = 0.9
PER_SECOND = {"queue": 600.0, "order": 600.0, "finish": 600.0, "keyless": 100.0, "key": 100.0}
"""The kinds of `bench/prober.py`, and how often a second each asks."""
PEERS = {"order": "queue", "finish": "queue", "key": "keyless"}
NAMES = {
    "queue": "as many GET /queue",
    "order": "GET /order/{unknown}",
    "finish": "POST /finish/{unknown}",
    "keyless": "as many without a key",
    "key": "orders by random keys",
}
NO_LIMITS = ("--limit-requests", "1000000", "--limit-waiting", "1000000", "--ban-after", "1000000")
"""So that every look-up is answered, even if the limits would refuse it after a while."""
PLAN = {"customers": 10, "pace": 50.0, "baristas": 5, "start": "/start/?wait=1", "strangers": True}


class Probed(NamedTuple):
    """The figures of a round, or the medians of all rounds."""

    wait: float
    """Milliseconds that a regular's order took, their median."""
    pace: float
    """The share of the look-ups that was answered in time."""

    def __str__(self) -> str:
        late = "" if self.pace >= LEAST_PACE else f" at {self.pace:.0%} of the pace"
        return f"{self.wait:.1f} ms{late}"


def measure(scale: Scale) -> list[Row]:
    """Measure on SQLite, then on PostgreSQL where there is one."""
    with TemporaryDirectory() as folder:
        rows = compare("SQLite", f"sqlite:///{Path(folder, 'cafe.db')}", scale)
    if (reason := why_not()) is not None:
        progress(f"lookups: not measured on PostgreSQL: {reason}")
        return [*rows, Row(f"look-ups on PostgreSQL: {reason}", "", "", "", None, FOR_THE_RECORD)]
    with postgres_database() as url:
        return [*rows, *compare("PostgreSQL", url, scale)]


@contextmanager
def postgres_database() -> Generator[str]:
    """Yield the URL of a database with the café's tables, on a new server."""
    with running_server() as server:
        url = server.url(server.new_database())
        with program("cafe", "db", "upgrade", "--database-url", url, most_seconds=60) as upgrade:
            upgrade.read()
            upgrade.process.wait()
        yield url


def compare(database: str, url: str, scale: Scale) -> list[Row]:
    """Measure every kind in turn, round after round."""
    seen: dict[str, list[Probed]] = {kind: [] for kind in PER_SECOND}
    with serving((*cafe(url), *NO_LIMITS)) as server:
        for number in range(scale.rounds):
            for kind in list(PER_SECOND)[:: -1 if number % 2 else 1]:
                seen[kind].append(probed(kind, server, scale.seconds / 2))
                progress(f"lookups, round {number + 1}: {database}, {kind} {seen[kind][-1]}")
    medians = {kind: Probed(*map(median, zip(*seen[kind], strict=True))) for kind in seen}
    return [row(database, kind, medians[kind], medians[peer]) for kind, peer in PEERS.items()]


def row(database: str, kind: str, ours: Probed, peer: Probed) -> Row:
    """Return the row that compares look-ups of one kind with requests that need none."""
    ratio = ours.wait / peer.wait
    target, met = at_most(MOST, ratio)
    return Row(
        f"order's wait, {PER_SECOND[kind]:.0f} {NAMES[kind]} a second, {database}",
        str(ours),
        str(peer),
        NAMES[PEERS[kind]],
        ratio,
        target,
        bool(met) and ours.pace >= LEAST_PACE,
    )


def probed(kind: str, server: Server, seconds: float) -> Probed:
    """Return how long regulars wait for their orders during look-ups of one kind."""
    ports = (str(server.client_port), str(server.worker_port))
    probes = ("bench.prober", kind, *ports, str(PER_SECOND[kind]), str(seconds))
    with (
        program(*probes, most_seconds=60) as prober,
        load(server, warm=0.5, seconds=seconds, **PLAN) as regulars,
    ):
        while regulars.read() != "warm":
            pass
        prober.go_on()
        asked: int = json.loads(prober.read())
        result = result_of(regulars)
    return Probed(result.wait * 1000, asked / (PER_SECOND[kind] * seconds))
