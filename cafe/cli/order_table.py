"""Orders as a table, once or live.

Rule: texts of customers are escaped. A live table shows the rows that fit on the terminal, and goes
on while the shop cannot be reached.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from cafe.cli.asking import LISTED, NotAnsweredError, Port, Shown
from cafe.operations.printable import printable

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType
    from rich.table import Table

PAUSE: Final = 1.0
"""Seconds between two updates."""
FRAME: Final = 6
"""Lines of a live table that are not orders."""
MOST_ON_PAGE: Final = 500
_MINUTES_FROM: Final = 120.0


def duration(seconds: float) -> str:
    """Return a duration for people: from two minutes on in minutes."""
    if seconds < _MINUTES_FROM:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min"


def table_of(found: Sequence[Shown]) -> Table:
    """Return a table of orders."""
    # Imported late: commands that print a sentence do not need rich.
    from rich.box import SIMPLE  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE)
    table.add_column("order", justify="right")
    for column in ("status", "drink", "name"):
        table.add_column(column)
    table.add_column("waited", justify="right")
    for one in found:
        cells = (one["number"], one["status"], one["drink"], one["name"] or "")
        waited = duration(one["waited_seconds"])
        table.add_row(*(Text(printable(str(cell))) for cell in (*cells, waited)))
    return table


def show_live(
    shop: Port, *, pause: Callable[[float], object], console: Console | None = None
) -> None:
    """Draw the orders repeatedly, until Ctrl-C.

    Raises NotAnsweredError if the shop cannot be asked even once, and RefusedError.
    """
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = console or Console(highlight=False)
    drawn: RenderableType = look(shop, console.height)
    with Live(drawn, console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            live.update(drawn, refresh=True)
            pause(PAUSE)
            try:
                drawn = look(shop, console.height)
            except NotAnsweredError as error:
                drawn = Text(printable(error.format_message()))


def look(shop: Port, height: int) -> Group:
    """Return a table of the oldest orders, as many as fit, under their counts by status."""
    from rich.console import Group  # noqa: PLC0415 - as above

    rows = max(1, min(height - FRAME, MOST_ON_PAGE))
    answer = shop.get(f"/orders?limit={rows}", LISTED)
    found: list[Shown] = answer.body["orders"]
    counts = Counter(one["status"] for one in found)
    more = "; more below" if answer.following else ""
    head = f"{counts['waiting']} waiting, {counts['preparation']} in preparation{more}"
    return Group(head, table_of(found))
