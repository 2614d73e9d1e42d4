"""Run the benchmarks and print one table of ratios: `python -m bench [--quick] [NAME ...]`."""

from __future__ import annotations

import argparse
import signal
import sys
from time import perf_counter

from bench import (
    actors,
    defaults,
    flood,
    history,
    latency,
    lines,
    lookups,
    memory,
    noop,
    orders,
    parked,
)
from bench.processes import BenchmarkError
from bench.report import FULL, QUICK, Row, print_table, progress

BENCHMARKS = {
    "orders": orders.measure,
    "defaults": defaults.measure,
    "noop": noop.measure,
    "parked": parked.measure,
    "memory": memory.measure,
    "latency": latency.measure,
    "flood": flood.measure,
    "lookups": lookups.measure,
    "history": history.measure,
    "lines": lines.measure,
    "actors": actors.measure,
}


def main() -> int:
    """Run what was asked for; 1 if a benchmark gave no figure, else 0, targets met or not."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="see that they run")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark is named {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    for stop in (signal.SIGTERM, signal.SIGHUP):  # by exception, so that no server is left behind
        signal.signal(stop, lambda number, _frame: sys.exit(128 + number))
    rows: list[Row] = []
    failed = False
    for name in options.names or BENCHMARKS:
        begin = perf_counter()
        try:
            rows += BENCHMARKS[name](QUICK if options.quick else FULL)
        except BenchmarkError as error:
            failed = True
            progress(f"{name}: {error}")
            rows.append(Row(f"{name}: no figure, see above", "", "", ""))
        progress(f"{name}: {perf_counter() - begin:.0f} s")
    print_table(rows)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
