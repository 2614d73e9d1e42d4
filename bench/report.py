"""The result of a benchmark: rows of one table, each a ratio and whether it meets its target.

Rule: the ratio is always the café's figure divided by the peer's, so its direction is never in
doubt.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Scale:
    """The sizes, durations and numbers of rounds of the measurements."""

    rounds: int = 5
    seconds: float = 3.0
    parked: int = 10_000
    """As many as the café's queue takes by default."""
    passing: int = 20_000
    """Orders that come and go before memory is measured, and a quarter more after."""
    history: int = 1_000_000
    """Finished orders in the file with which the café starts."""
    accounts: int = 50_000
    """In the file of the café that is compared with one of a thousand accounts."""
    couriers: int = 1_000
    """Of the café that is compared with one of ten."""
    boards: int = 1_000
    """Open on the café that is compared with itself without any."""
    bookings: int = 100_000
    """In the file of the café that is compared with one of a hundred; a table for each hundred."""
    kills: int = 20
    """Of the house that owns the shop."""


PLAIN_ON_HYPERCORN = "plain, hypercorn on trio"
PLAIN_ON_UVICORN = "plain, uvicorn on uvloop"
USUAL = "the usual way, uvicorn"
CAPTION = (
    "plain: the same routes as a dictionary of events, without actors, limits, logs, metrics\n"
    "the usual way: FastAPI, SQLAlchemy in threads, slowapi, prometheus_client, access log\n"
    "docs/benchmarks.md says what each row measures"
)

FOR_THE_RECORD = "for the record"
"""The target of a row without one."""

FULL = Scale()
QUICK = Scale(
    rounds=1,
    seconds=1.0,
    parked=500,
    passing=1_000,
    history=10_000,
    accounts=2_000,
    couriers=50,
    boards=100,
    bookings=2_000,
    kills=2,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    cafe: str
    peer: str
    peer_name: str
    ratio: float | None = None
    target: str = FOR_THE_RECORD
    met: bool | None = None


def at_least(least: float | None, figure: float, unit: str = "") -> tuple[str, bool | None]:
    """Return a row's target, and whether a figure meets it; None without a target."""
    if least is None:
        return FOR_THE_RECORD, None
    return f"at least {least:g}{unit}", figure >= least


def at_most(most: float | None, figure: float, unit: str = "") -> tuple[str, bool | None]:
    """Return the same where less is better."""
    if most is None:
        return FOR_THE_RECORD, None
    return f"at most {most:g}{unit}", figure <= most


def progress(line: str) -> None:
    """Print the progress to standard error."""
    print(f"  {line}", file=sys.stderr, flush=True)


def print_table(rows: list[Row]) -> None:
    """Print all rows as one table, and how many targets are met."""
    table = Table(title="The café and its peers, measured in one run", caption=CAPTION)
    table.add_column("what")
    for figure in ("café", "peer", "ratio"):
        table.add_column(figure, justify="right")
    for text in ("which peer", "target", "verdict"):
        table.add_column(text)
    verdicts = {True: "met", False: "NOT MET", None: ""}
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        cells = (row.cafe, row.peer, ratio, row.peer_name, row.target, verdicts[row.met])
        table.add_row(row.what, *cells)
    console = Console(width=None if sys.stdout.isatty() else 180)
    console.print(table)
    held = [row.met for row in rows if row.met is not None]
    console.print(f"{sum(held)} of {len(held)} targets are met.")
