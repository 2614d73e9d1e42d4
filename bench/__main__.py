"""Run the benchmarks and print one table of ratios: `python -m bench [--quick] [NAME ...]`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple

from bench import (
    accounts,
    actors,
    baskets,
    boards,
    defaults,
    deliveries,
    failover,
    flood,
    history,
    latency,
    lines,
    lookups,
    machines,
    memory,
    menu,
    noop,
    orders,
    parked,
    tables,
)
from bench.processes import BenchmarkError
from bench.report import FULL, QUICK, Row, Scale, print_table, progress


class Benchmark(NamedTuple):
    """One part of the table."""

    measure: Callable[[Scale], list[Row]]
    about: str


BENCHMARKS = {
    "orders": Benchmark(
        orders.measure, "full orders against plain servers and against the usual way"
    ),
    "defaults": Benchmark(
        defaults.measure, "processor time for an order, `cafe serve` as a user starts it"
    ),
    "baskets": Benchmark(
        baskets.measure, "baskets paid at the counter against the counter's plain orders"
    ),
    "noop": Benchmark(noop.measure, "a route that does nothing, on the café's connection"),
    "menu": Benchmark(menu.measure, "GET /menu with a matching ETag, against a no-op route"),
    "parked": Benchmark(parked.measure, "ten thousand customers who wait, and are served at once"),
    "memory": Benchmark(memory.measure, "memory at rest, and after orders have come and gone"),
    "latency": Benchmark(latency.measure, "from a barista's finish to the customer's 200"),
    "flood": Benchmark(flood.measure, "the regulars' orders while one address attacks"),
    "machines": Benchmark(
        machines.measure, "a house and fronts against the same shop in one process"
    ),
    "lookups": Benchmark(lookups.measure, "the regulars' wait while strangers guess ids and keys"),
    "history": Benchmark(history.measure, "the start with a million finished orders in the file"),
    "accounts": Benchmark(accounts.measure, "signing in, start and memory with many accounts"),
    "deliveries": Benchmark(
        deliveries.measure, "a delivery and its finish with a thousand couriers against ten"
    ),
    "tables": Benchmark(
        tables.measure, "GET /tables among a thousand tables and their bookings against ten"
    ),
    "boards": Benchmark(boards.measure, "a thousand boards open, against none"),
    "failover": Benchmark(
        failover.measure, "from the kill of the owner to the next committed order"
    ),
    "lines": Benchmark(lines.measure, "a line of the log on the console and as JSON"),
    "actors": Benchmark(actors.measure, "the toolkit against channels by hand and against Pykka"),
}

BY_THEMSELVES = """
what has no peer is run by itself:
  python -m bench.hops      the functions that an order passes
  python -m bench.simulate  a Saturday at a thousand shops, in virtual time"""


def make_parser() -> argparse.ArgumentParser:
    """Make the command line; its help has a line for each benchmark."""
    names = "\n".join(f"  {name:10} {benchmark.about}" for name, benchmark in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=f"benchmarks (docs/benchmarks.md tells more):\n{names}\n{BY_THEMSELVES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to run; all, if none")
    parser.add_argument("--quick", action="store_true", help="only see that they run")
    parser.add_argument("--accounts", type=int, metavar="N", help="how many, for `accounts`")
    return parser


def main() -> int:
    """Run the named benchmarks; return 1 if one has no figure, else 0, targets met or not."""
    parser = make_parser()
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark is named {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    for stop in (signal.SIGTERM, signal.SIGHUP):  # as an exception, so that every server is stopped
        signal.signal(stop, lambda number, _frame: sys.exit(128 + number))
    scale = QUICK if options.quick else FULL
    if options.accounts is not None:
        scale = replace(scale, accounts=options.accounts)
    rows: list[Row] = []
    failed = False
    for name in options.names or BENCHMARKS:
        begin = perf_counter()
        try:
            rows += BENCHMARKS[name].measure(scale)
        except BenchmarkError as error:
            failed = True
            progress(f"{name}: {error}")
            rows.append(Row(f"{name}: no figure, see above", "", "", ""))
        progress(f"{name}: {perf_counter() - begin:.0f} s")
    print_table(rows)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
