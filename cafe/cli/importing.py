"""`cafe import`: imports the export of another system, in one transaction.

Rule: that of `taking_over.py`, which does it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from cafe.cli.imports import importing
from cafe.cli.managing import CommandRefusedError
from cafe.cli.options import DatabaseUrl
from cafe.operations.printable import printable

SYSTEMS: Final = ("functech", "courier-service", "restaurant-booking", "coffee-shop")
"""The systems whose exports can be imported; a test compares them with the code's."""


def import_(
    system: Annotated[
        str,
        typer.Argument(help=f"Whose export it is: {', '.join(SYSTEMS)}.", show_default=False),
    ],
    file: Annotated[Path, typer.Argument(help="A file of JSON.", show_default=False)],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check the file, and write nothing.")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Take over what another system has exported; no shop may run meanwhile.

    The file is one object with any of the lists users, products, districts, couriers, tables and
    orders, in that system's own words; docs/examples has one for each system. All of it comes in
    or, if anything is wrong, nothing. Example:

        cafe import functech export.json
    """
    if system not in SYSTEMS:
        raise CommandRefusedError(why_not(system))
    with importing():
        from cafe.cli.taking_over import take_over  # noqa: PLC0415 - not for help

    counts = take_over(system, file, database_url, dry_run=dry_run)
    for kind, number in counts.items():
        print(printable(f"{kind}: {number:,}"))
    if dry_run:
        print("Nothing was written.")


def why_not(system: str) -> str:
    """Return why there is no import from a system."""
    names = ", ".join(SYSTEMS)
    if system == "cafe":
        return f"The plain counter keeps nothing that could be imported; others are {names}."
    return f"There is no import from {system}, but from {names}."
