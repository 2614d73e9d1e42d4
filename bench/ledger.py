"""What the ledger costs: full orders per second with a file, by those in memory only.

And what a long history costs: the time to the open doors, and the memory, with many finished orders
in the file, by those of an empty one.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter, time

from bench.processes import IN_MEMORY, Server, cafe, rush, serving
from bench.report import Row, Scale, progress
from cafe.ledger.opening import open_store
from cafe.ledger.records import EventRow, OrderRow, Record

LEAST = 0.85
HISTORY = 100_000
MOST_SECONDS = 2.0
MOST_MEMORY = 1.05
LIFE = (
    ("place", None, "waiting"),
    ("start", "waiting", "preparation"),
    ("finish", "preparation", "ready"),
    ("hand over", "ready", "delivered"),
)


def measure(scale: Scale) -> list[Row]:
    """Measure both."""
    with tempfile.TemporaryDirectory() as folder:
        return [*rates(scale, Path(folder)), *history(scale, Path(folder))]


def rates(scale: Scale, folder: Path) -> list[Row]:
    """Play the rush with a file and in memory only, in turn, round after round."""
    sides = {"a file": f"sqlite:///{folder / 'rush.db'}", "in memory only": IN_MEMORY}
    rate: dict[str, list[float]] = {side: [] for side in sides}
    sizes: dict[str, float] = {}
    with ExitStack() as stack:
        servers = {
            side: stack.enter_context(serving(cafe(database))) for side, database in sides.items()
        }
        for number in range(scale.rounds):
            for side, server in servers.items():
                result = rush(server, warm=1.0, seconds=scale.seconds)
                rate[side].append(result.per_second)
                progress(f"ledger, round {number + 1}: {side} {result.per_second:.0f}/s")
        for side, server in servers.items():
            sizes[side] = mean_group(server)
    ours, peers = median(rate["a file"]), median(rate["in memory only"])
    return [
        Row(
            "full orders with the ledger in a file",
            f"{ours:.0f}/s",
            f"{peers:.0f}/s",
            "in memory only",
            ours / peers,
            f"at least {LEAST}",
            ours / peers >= LEAST,
        ),
        Row(
            "records in a group, mean",
            f"{sizes['a file']:.1f}",
            f"{sizes['in memory only']:.1f}",
            "in memory only",
        ),
    ]


def history(scale: Scale, folder: Path) -> list[Row]:
    """Start with and without a history."""
    orders = HISTORY if scale.rounds > 1 else HISTORY // 10
    full, empty = (f"sqlite:///{folder / name}" for name in ("full.db", "empty.db"))
    write_history(full, orders)
    progress(f"ledger: {orders:,} finished orders are in a file")
    starts = {side: start(cafe(side)) for side in (empty, full)}
    (seconds, memory), (seconds_empty, memory_empty) = starts[full], starts[empty]
    return [
        Row(
            f"from the command to open doors, {orders:,} finished orders",
            f"{seconds:.2f} s",
            f"{seconds_empty:.2f} s",
            "an empty file",
            seconds / seconds_empty,
            f"under {MOST_SECONDS:g} s",
            seconds < MOST_SECONDS,
        ),
        Row(
            f"memory after the start, {orders:,} finished orders",
            f"{memory / 2**20:.1f} MiB",
            f"{memory_empty / 2**20:.1f} MiB",
            "an empty file",
            memory / memory_empty,
            f"ratio at most {MOST_MEMORY}",
            memory / memory_empty <= MOST_MEMORY,
        ),
    ]


def start(argv: tuple[str, ...]) -> tuple[float, int]:
    """Give the seconds to the open doors, at best of three, and the memory then."""
    seconds: list[float] = []
    memory = 0
    for _ in range(3):
        began = perf_counter()
        with serving(argv) as server:
            seconds.append(perf_counter() - began)
            memory = server.memory()
    return min(seconds), memory


def mean_group(server: Server) -> float:
    """Ask the shop how many records its ledger wrote at a time."""
    connection = HTTPConnection("127.0.0.1", server.worker_port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    figures = dict(re.findall(r"^cafe_ledger_(groups|records)_total (\S+)$", text, re.MULTILINE))
    return float(figures["records"]) / float(figures["groups"])


def write_history(database: str, orders: int) -> None:
    """Write the whole lives of so many orders."""
    store = open_store(database)
    epoch = store.load().epoch
    records = lives(orders)
    while group := list(islice(records, 4_000)):
        store.commit(epoch, group)
    store.close()


def lives(orders: int) -> Iterator[Record]:
    """Give the records of orders that were all delivered, within the last day."""
    began, sequence = time() - 86_400, 0
    for number in range(1, orders + 1):
        at = began + number * 80_000 / orders
        for action, before, after in LIFE:
            sequence += 1
            event = EventRow(sequence, f"order-{number}", action, before, after, at, None, None)
            yield Record(event, row(number, at, after))


def row(number: int, at: float, status: str) -> OrderRow:
    """Give an order as it stands after one of its life's steps."""
    waiting, ended = status == "waiting", status in {"ready", "delivered"}
    return OrderRow(
        order_id=f"order-{number}",
        number=number,
        drink="americano",
        name=None,
        address="192.0.2.1",
        placed_at=at,
        key=None,
        bound=True,
        abandoned=False,
        status=status,
        barista=None,
        started_at=None if waiting else at,
        lease_expires_at=None if waiting else at + 180,
        lapsed=False,
        ended_at=at if ended else None,
    )
