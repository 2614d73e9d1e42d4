"""The cost of a long history: the start, and the memory after it, with a million finished orders.

The peer is the same café with an empty file. The history is written by plain SQL, into the tables
that the café itself has made: all events of orders that were delivered within the last day.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, time

from bench.ledger import make_ledger
from bench.processes import cafe, serving
from bench.report import Row, Scale, at_most, progress

MOST_START = 1.2
MOST_MEMORY = 1.05

SPREAD = 80_000.0
"""Seconds over which the orders are spread, within the last day."""

# The value of each column that may not be NULL, in SQL. `n` is the order's number and `at` when it
# was placed; `step` counts from 0 to 3 and is joined to the events below.
ORDERS_TABLE = "orders"
ORDER: Mapping[str, str] = {
    "order_id": "printf('order-%08d', n)",
    "number": "n",
    "drink": "'americano'",
    "address": "'192.0.2.1'",
    "placed_at": "at",
    "bound": "1",
    "abandoned": "0",
    "status": "'delivered'",
    "started_at": "at + 1",
    "lease_expires_at": "at + 181",
    "lapsed": "0",
    "ended_at": "at + 40",
}
EVENTS_TABLE = "events"
EVENT: Mapping[str, str] = {
    "position": "(n - 1) * 4 + step + 1",
    "department": "'orders'",
    "subject": "printf('order-%08d', n)",
    "action": "action",
    "before": "before",
    "after": "after",
    "at": "at + seconds",
}
STEPS = """
    (0, 'place', NULL, 'waiting', 0), (1, 'start', 'waiting', 'preparation', 1),
    (2, 'finish', 'preparation', 'ready', 40), (3, 'hand over', 'ready', 'delivered', 40)
"""
NUMBERS = """
    WITH RECURSIVE
    numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :orders),
    placed(n, at) AS (SELECT n, :began + n * :spread / :orders FROM numbers)
"""


def measure(scale: Scale) -> list[Row]:
    """Start with and without a history, in turn."""
    with TemporaryDirectory() as folder:
        full, empty = Path(folder, "full.db"), Path(folder, "empty.db")
        for file in (full, empty):
            make_ledger(file)
        began = perf_counter()
        write_history(full, scale.history)
        took = perf_counter() - began
        progress(f"history: {scale.history:,} finished orders are in a file, after {took:.0f} s")
        return rows(scale, *starts(scale, full, empty))


def rows(scale: Scale, full: tuple[float, float], empty: tuple[float, float]) -> list[Row]:
    """Compare the seconds until the ports are open, and the MiB then."""
    (seconds, mib), (seconds_empty, mib_empty) = full, empty
    return [
        Row(
            f"from the command to open ports, {scale.history:,} finished orders",
            f"{seconds:.2f} s",
            f"{seconds_empty:.2f} s",
            "an empty file",
            seconds / seconds_empty,
            *at_most(MOST_START, seconds / seconds_empty),
        ),
        Row(
            f"memory after the start, {scale.history:,} finished orders",
            f"{mib:.1f} MiB",
            f"{mib_empty:.1f} MiB",
            "an empty file",
            mib / mib_empty,
            *at_most(MOST_MEMORY, mib / mib_empty),
        ),
    ]


def starts(scale: Scale, *files: Path) -> list[tuple[float, float]]:
    """Return the least seconds until the ports are open, and the median of the MiB then.

    The least, because other work on the machine can only delay a start.
    """
    seen: dict[Path, list[tuple[float, float]]] = {file: [] for file in files}
    for number in range(scale.rounds):
        for file in files[:: -1 if number % 2 else 1]:
            began = perf_counter()
            with serving(cafe(f"sqlite:///{file}")) as server:
                took = perf_counter() - began
                seen[file].append((took, server.memory() / 2**20))
            progress(f"history, round {number + 1}: {file.stem} open after {took:.2f} s")
    return [(min(s for s, _ in seen[file]), median(m for _, m in seen[file])) for file in files]


def write_history(file: Path, orders: int) -> None:
    """Write this many orders with all their events."""
    values = {"orders": orders, "began": time() - 86_000.0, "spread": SPREAD}
    steps = f"steps(step, action, before, after, seconds) AS (VALUES {STEPS})"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA synchronous=OFF")  # this file need not survive a crash
        connection.execute(f"{insert(ORDERS_TABLE, ORDER)} FROM placed", values)
        rows = insert(EVENTS_TABLE, EVENT, steps)
        connection.execute(f"{rows} FROM placed CROSS JOIN steps ORDER BY n, step", values)


def insert(table: str, columns: Mapping[str, str], *more: str) -> str:
    """Return the statement that fills a table's columns, up to its FROM."""
    names = ", ".join(f'"{column}"' for column in columns)
    source = ", ".join((NUMBERS, *more))
    return f"INSERT INTO {table} ({names}) {source} SELECT {', '.join(columns.values())}"
