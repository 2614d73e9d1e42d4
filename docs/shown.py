"""The outputs that the pages show: figures that were measured once, as the commands print them.

Rule: a figure is data here, and the command's own code prints everything else, so a shown output
has the form that the command has now.
"""

from __future__ import annotations

from datetime import date
from io import StringIO

from rich.console import Console, RenderableType

from cafe.operations.figures import Day, Spread, Work
from cafe.operations.report import as_tables
from cafe.players.attacker import Attack
from cafe.players.customers import Summary, comparison
from cafe.players.rush import attack_title

WIDTH = 80

CALM = (0.63, 7.89, 14.88, 15.70)
ATTACKED = (0.61, 7.89, 14.94, 15.70)
"""The shortest wait, the median, the 95th percentile and the longest, in seconds."""
ATTACK = Attack(
    orders=5000,
    answers={"429 requests": 199, "429 waiting": 200},
    lost=4144,
    unanswered=457,
    first_cut=0.71,
    last_answer=0.71,
)
DAY = date(2026, 11, 21)
REPORT = Day(
    orders=40,
    ready=40,
    handed_over=40,
    to_be_handed_over=0,
    brewed_in_vain=0,
    not_ready_yet=0,
    cancelled=0,
    cut_off=0,
    abandoned=0,
    wait=Spread(14.5, 27.6, 28.8),
    brewing=Spread(2.1, 2.8, 3.0),
    baristas=(
        Work("barista-1", 14, 0, 0, Spread(1.9, 3.0, 3.0)),
        Work("barista-2", 13, 0, 0, Spread(2.3, 2.9, 2.9)),
        Work("barista-3", 13, 0, 0, Spread(2.3, 2.7, 2.7)),
    ),
    hours=(),
)


def printed(*parts: RenderableType) -> list[str]:
    """Return the lines that a console without colours prints."""
    text = StringIO()
    console = Console(file=text, width=WIDTH, highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(part)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def served(waits: tuple[float, float, float, float]) -> Summary:
    """Return a summary of 300 customers with these waits."""
    shortest, median, p95, longest = waits
    return Summary(300, (shortest, *[median] * 199, *[p95] * 99, longest), ())


def rush() -> list[str]:
    """Return what `cafe rush` prints between its title and its charts."""
    table = comparison({"without an attacker": served(CALM), "with an attacker": served(ATTACKED)})
    title = attack_title(ATTACK.orders)
    return ["```", *printed(table)[1:], title, ATTACK.text(), "```"]


def report() -> list[str]:
    """Return what `cafe report` prints above its chart."""
    return ["```", *printed(as_tables(DAY, REPORT)), "```"]
