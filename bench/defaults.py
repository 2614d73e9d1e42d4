"""The café as a user starts it: `cafe serve` with all defaults, under a load with idle baristas.

The database is in the current folder, the log is written to a file. Orders come at half the rate
that the café can serve, and baristas poll twice as often as orders come. So both servers answer the
same requests, and for each order one poll finds none: baristas poll like that most of the day, and
each poll is a line of the log. The peer has neither database nor log.
"""

from __future__ import annotations

from bench.processes import PLAIN_UVICORN, serving, serving_as_started
from bench.report import PLAIN_ON_UVICORN, Row, Scale, progress
from bench.rounds import cost_row, measured, run_rounds

MOST = 1.15
SHARE = 0.5
CAFE = "the café, all defaults"


def measure(scale: Scale) -> list[Row]:
    """Measure both sides in turn, round after round."""
    with serving_as_started() as ours, serving(PLAIN_UVICORN) as peer:
        pace = SHARE * measured(ours, warm=1.0, seconds=scale.seconds).rate
        progress(f"defaults: {pace:.0f} orders a second and {2 * pace:.0f} polls for one")
        plan = {"customers": 200, "pace": pace, "baristas": 40, "asks": 2 * pace}
        figures = run_rounds("defaults", {CAFE: ours, PLAIN_ON_UVICORN: peer}, scale, **plan)
    cafe, plain = figures[CAFE], figures[PLAIN_ON_UVICORN]
    what = "as a user starts it: processor time for an order"
    return [
        cost_row(what, cafe, plain, PLAIN_ON_UVICORN, MOST),
        Row(
            "the same, polls of idle baristas for each order",
            f"{cafe.polls:.1f}",
            f"{plain.polls:.1f}",
            PLAIN_ON_UVICORN,
            cafe.polls / plain.polls,
        ),
    ]
