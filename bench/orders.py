"""Full orders per second: order, start and finish over keep-alive connections.

200 customers and 20 baristas without a pause. The café has actors, limits, logs and metrics, and is
measured in memory only and with its ledger in a file: against the same three routes as a plain
dictionary of events, and against a server with similar promises that is made the usual way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.processes import CAFE, PLAIN_HYPERCORN, PLAIN_UVICORN, Server, cafe, serving, usual
from bench.report import PLAIN_ON_HYPERCORN, PLAIN_ON_UVICORN, USUAL, Row, Scale
from bench.rounds import Figures, cost_row, rate_row, run_rounds

IN_MEMORY = "the café in memory only"
IN_A_FILE = "the café with a file"

TIMES_STOCK = 3.0
TIMES_USUAL = 3.0
LEAST_IN_MEMORY, MOST_IN_MEMORY = 1.05, 0.9
LEAST_IN_A_FILE, MOST_IN_A_FILE = 0.95, 1.05
LEAST_OF_MEMORY = 0.85

GROUPS = re.compile(r"^cafe_ledger_(groups|records|events)_total (\S+)$", re.MULTILINE)


def measure(scale: Scale) -> list[Row]:
    """Measure every side in turn, round after round."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        sides = {
            IN_MEMORY: CAFE,
            IN_A_FILE: cafe(f"sqlite:///{Path(folder, 'cafe.db')}"),
            PLAIN_ON_UVICORN: PLAIN_UVICORN,
            PLAIN_ON_HYPERCORN: PLAIN_HYPERCORN,
            USUAL: usual(Path(folder, "usual.db")),
        }
        servers = {side: stack.enter_context(serving(argv)) for side, argv in sides.items()}
        figures = run_rounds("orders", servers, scale)
        return [*rows(figures), *group_rows(servers[IN_A_FILE])]


def rows(figures: Mapping[str, Figures]) -> list[Row]:
    """Compare the café to each of its peers, first in memory only, then with a file."""
    memory, file = figures[IN_MEMORY], figures[IN_A_FILE]
    fastest, stock = figures[PLAIN_ON_UVICORN], figures[PLAIN_ON_HYPERCORN]
    rate, cost = "full orders, in memory only", "processor time for each"
    rate_file, cost_file = "full orders, with a file", "processor time for each, with a file"
    return [
        rate_row(rate, memory, stock, PLAIN_ON_HYPERCORN, TIMES_STOCK),
        cost_row(cost, memory, stock, PLAIN_ON_HYPERCORN),
        rate_row(rate, memory, fastest, PLAIN_ON_UVICORN, LEAST_IN_MEMORY),
        cost_row(cost, memory, fastest, PLAIN_ON_UVICORN, MOST_IN_MEMORY),
        rate_row(rate_file, file, fastest, PLAIN_ON_UVICORN, LEAST_IN_A_FILE),
        cost_row(cost_file, file, fastest, PLAIN_ON_UVICORN, MOST_IN_A_FILE),
        rate_row(rate_file, file, figures[USUAL], USUAL, TIMES_USUAL),
        cost_row(cost_file, file, figures[USUAL], USUAL),
        rate_row(rate_file, file, memory, IN_MEMORY, LEAST_OF_MEMORY),
        cost_row(cost_file, file, memory, IN_MEMORY),
    ]


def group_rows(server: Server) -> list[Row]:
    """Return a row with the mean number of events in a commit; none if the metrics lack it."""
    connection = HTTPConnection("127.0.0.1", server.worker_port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    counts = dict(GROUPS.findall(text))
    groups, events = counts.pop("groups", None), next(iter(counts.values()), None)
    if groups is None or events is None:
        return []
    return [Row("events in a commit, mean", f"{float(events) / float(groups):.1f}", "", "")]
