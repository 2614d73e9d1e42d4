"""`cafe report`: a day's figures, from the shop's database, whether the shop runs or not.

Rule: it only reads. It imports what it needs when it runs, not for its help and completion.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from cafe.cli.imports import importing
from cafe.cli.options import DatabaseUrl


def parse_day(value: str | date) -> date:
    """Parse a day like 2026-11-21; raise BadParameter for anything else."""
    with importing():
        from cafe.operations.figures import Hours  # noqa: PLC0415 - not for help

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
    as_data: Annotated[bool, typer.Option("--json", help="Print JSON, times in seconds.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Print the figures of a day: orders, waits, brewing times, baristas, and its hours.

    It counts the orders placed on that day, as they stand now: each stands in one of the lines
    below their sum. The shop may run meanwhile.
    """
    print_report(day or datetime.now().astimezone().date(), database_url, as_data=as_data)


def print_report(day: date, database_url: str | None, *, as_data: bool) -> None:
    """Print the figures of a day, as JSON or for people."""
    with importing():
        from rich.console import Console  # noqa: PLC0415 - not for help

        from cafe.cli.ledgers import shop_database  # noqa: PLC0415
        from cafe.ledger.checking import open_reader  # noqa: PLC0415
        from cafe.operations.figures import Day, Hours  # noqa: PLC0415
        from cafe.operations.report import as_chart, as_json, as_tables  # noqa: PLC0415
        from cafe.orders.queries import read_histories  # noqa: PLC0415

    hours = Hours.of(day)
    with shop_database(database_url) as address, open_reader(address) as connection:
        figures = Day.of(read_histories(connection, *hours), hours)
    if as_data:
        print(as_json(day, figures))
    elif figures.orders:
        Console(highlight=False).print(as_tables(day, figures))
        print(as_chart(figures))
    else:
        print(f"Nobody ordered anything on {day:%A, %-d %B %Y}.")
