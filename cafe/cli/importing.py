"""`cafe import`: what another system has exported, in one transaction.

Rule: the file decides all or nothing. It is read and checked before anything is written, and what
is wrong with it is one line that names the file, the line and the member.
"""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer

from cafe.cli.ledgers import shop_settings
from cafe.cli.managing import CommandRefusedError, refuse_memory
from cafe.cli.options import DatabaseUrl
from cafe.cli.streams import print_error
from cafe.compat.imports.json_file import MOST_BYTES, JsonFileError
from cafe.compat.imports.moving import ORDERS, Export, Plan, Rules
from cafe.delivery.department import day_of
from cafe.ledger.database import is_new, parse_address
from cafe.ledger.importing import Made, Times, units_of
from cafe.ledger.store import Store, open_store
from cafe.operations.printable import printable
from cafe.settings import Settings

REPORT_SECONDS: Final = 1.0
"""Between two lines of progress."""


class Progress:
    """Says on standard error how far something is: once a second, and when it is done."""

    def __init__(self, what: str, whole: int | None = None) -> None:
        """Say `what` is done; `whole` is how much of it there is, if that is known."""
        self._what, self._whole = what, whole
        self._next = time.monotonic() + REPORT_SECONDS

    def __call__(self, number: int) -> None:
        """Say that so many are done, if it is time to."""
        now = time.monotonic()
        if now >= self._next or number == self._whole:
            self._next = now + REPORT_SECONDS
            of = "" if self._whole is None else f" of {self._whole:,}"
            print_error(f"{number:,}{of} {self._what}")


def import_(
    system: Annotated[
        str,
        typer.Argument(help=f"Whose export it is: {', '.join(ORDERS)}.", show_default=False),
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
    if system not in ORDERS:
        raise CommandRefusedError(why_not(system))
    content = read_file(file)
    with shop_settings(database_url=database_url) as settings:
        refuse_memory(settings)
        try:
            export = Export(system, content, Progress("records read"))
            take_over(export, settings, dry_run=dry_run)
        except JsonFileError as wrong:
            raise CommandRefusedError(f"{file}{wrong}") from None
    for kind, number in export.counts.items():
        print(printable(f"{kind}: {number:,}"))
    if dry_run:
        print("Nothing was written.")


def why_not(system: str) -> str:
    """Return why there is no import from a system."""
    names = ", ".join(ORDERS)
    if system == "cafe":
        return f"The plain counter keeps nothing that could be imported; others are {names}."
    return f"There is no import from {system}, but from {names}."


def read_file(file: Path) -> bytes:
    """Return what a file holds, and no more than shows that it is too large."""
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise CommandRefusedError(f"{file}: {error.strerror}.") from None


def take_over(export: Export, settings: Settings, *, dry_run: bool) -> None:
    """Check an export against the database, and write it; raises JsonFileError or LedgerError."""
    zone = ZoneInfo(settings.time_zone)
    rules = Rules(settings.delivery_lease_seconds, partial(day_of, zone=zone))
    report = Progress("records checked", sum(export.counts.values()))
    address = settings.database_url.get_secret_value()
    if dry_run and is_new(parse_address(address)):
        address = "sqlite://"  # as empty as the new file would be, and nothing is written
    with closing(open_store(address)) as store:
        times = Times.after(store.begin(), time.time())
        plan = store.read(lambda connection: Plan(export, connection, times, rules, report))
        entries = plan.entries()
        if not dry_run:
            write(store, entries)


def write(store: Store, entries: list[Made]) -> None:
    """Write all entries in one transaction, or none."""
    report, written = Progress("changes written", len(entries)), 0
    with store.together() as write_some:
        for units in units_of(entries):
            write_some(units)
            written += sum(len(unit.entries) for unit in units)
            report(written)
