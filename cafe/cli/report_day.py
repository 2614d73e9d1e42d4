"""`cafe report`: what a day came to, for people or for machines.

Rule: it reads, beside a shop that runs; the figures are computed in `cafe.operations.day`.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from cafe.cli.board import as_text
from cafe.cli.database import DatabaseUrl, shop_database
from cafe.ledger.checking import open_reader
from cafe.operations.day import Day, Hours, Spread, Work, picture
from cafe.orders.queries import read_lives

_MINUTES_FROM = 120.0


def parse_day(value: str | date) -> date:
    """Parse a day like 2026-11-21; raise BadParameter for anything else."""
    try:
        day = date.fromisoformat(str(value))
        Hours.of(day)
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(f"{value} is not a day like 2026-11-21.") from None
    return day


def report(
    *,
    day: Annotated[
        date | None,
        typer.Option(
            parser=parse_day,
            metavar="YYYY-MM-DD",
            help="Which day, from midnight to midnight on this machine's clock; else today.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, times in seconds.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Tell what a day came to: orders, waits, brewing times, baristas, and its hours.

    It counts the orders placed on that day, as they stand now. The shop may run meanwhile.
    """
    day = day or datetime.now().astimezone().date()
    hours = Hours.of(day)
    with shop_database(database_url) as address, open_reader(address) as connection:
        lives = read_lives(connection, *hours)
    figures = Day.of(lives, hours)
    if as_json:
        print(as_json_text(as_data(day, figures)))
    else:
        _print(day, figures)


def as_data(day: date, figures: Day) -> dict[str, Any]:
    """Give the figures as JSON has them."""
    return {
        "day": day.isoformat(),
        "orders": figures.orders,
        "ready": figures.ready,
        "collected": figures.collected,
        "not_ready_yet": figures.live,
        "cancelled": figures.cancelled,
        "cut_off": figures.cut_off,
        "abandoned": figures.abandoned,
        "brewed_in_vain": figures.brewed_in_vain,
        "wait_seconds": _spread_data(figures.wait),
        "brewing_seconds": _spread_data(figures.brewing),
        "baristas": [_work_data(work) for work in figures.baristas],
        "hours": [
            {"start": _local(hour.start).isoformat(), "orders": hour.orders}
            for hour in figures.hours
        ],
    }


def as_json_text(data: dict[str, Any]) -> str:
    """Give JSON for people, too: whatever cannot be seen, or moves the cursor, is escaped."""
    text = json.dumps(data, ensure_ascii=False, indent=2)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _spread_data(spread: Spread | None) -> dict[str, float] | None:
    return spread and {name: round(value, 3) for name, value in spread._asdict().items()}


def _work_data(work: Work) -> dict[str, Any]:
    counts = {name: value for name, value in work._asdict().items() if name != "brewing"}
    return {**counts, "brewing_seconds": _spread_data(work.brewing)}


def _print(day: date, figures: Day) -> None:
    if not figures.orders:
        print(f"Nobody ordered anything on {day:%A, %-d %B %Y}.")
        return
    console = Console(highlight=False)
    title = Text(f"{day:%A, %-d %B %Y}")
    console.print(Group(title, _counts(figures), _times(figures), _baristas(figures.baristas)))
    print(picture(figures))


def _counts(figures: Day) -> Table:
    table = Table(box=None, show_header=False, pad_edge=True)
    table.add_column()
    table.add_column(justify="right")
    for name, count in (
        ("orders", figures.orders),
        ("ready", figures.ready),
        ("  of them collected", figures.collected),
        ("  their customers left during the brewing", figures.brewed_in_vain),
        ("not ready yet", figures.live),
        ("abandoned before the brewing", figures.abandoned),
        ("cut off", figures.cut_off),
        ("cancelled", figures.cancelled),
    ):
        table.add_row(name, str(count))
    return table


def _times(figures: Day) -> Table:
    table = _table("", *Spread._fields)
    for name, spread in (("wait", figures.wait), ("brewing", figures.brewing)):
        table.add_row(name, *_shown(spread))
    return table


def _baristas(works: tuple[Work, ...]) -> Table:
    table = _table("barista", "ready", "released", "lapsed", *Spread._fields)
    for work in works:
        name = as_text(work.name or "(no name)")
        counts = (work.ready, work.released, work.lapsed)
        table.add_row(name, *(str(count) for count in counts), *_shown(work.brewing))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _shown(spread: Spread | None) -> tuple[str, ...]:
    return tuple("-" for _ in Spread._fields) if spread is None else tuple(map(_duration, spread))


def _duration(seconds: float) -> str:
    if seconds < _MINUTES_FROM:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min"


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at).astimezone()
