"""The work of `cafe import`: it reads an export, checks it, and writes it in one transaction.

Rule: all or nothing of a file is imported. It is read and checked before anything is written, and
an error is one line that names the file, the line and the member.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cafe.cli.ledgers import shop_settings
from cafe.cli.managing import CommandRefusedError
from cafe.cli.operator_client import refuse_memory
from cafe.cli.streams import print_error
from cafe.compat.imports.json_file import MOST_BYTES, JsonFileError
from cafe.compat.imports.moving import Export, Plan, Rules
from cafe.delivery.department import day_of
from cafe.ledger.database import is_new, parse_address
from cafe.ledger.importing import Made, Times, units_of
from cafe.ledger.store import Store, open_store
from cafe.settings import Settings

REPORT_SECONDS: Final = 1.0
"""Seconds between two lines of progress."""


class Progress:
    """Prints progress on standard error: once a second, and at the end."""

    def __init__(self, what: str, whole: int | None = None) -> None:
        """Count `what`, such as "records read"; `whole` is the total, if known."""
        self._what, self._whole = what, whole
        self._next = time.monotonic() + REPORT_SECONDS

    def __call__(self, number: int) -> None:
        """Print that `number` are done, if it is time to."""
        now = time.monotonic()
        if now >= self._next or number == self._whole:
            self._next = now + REPORT_SECONDS
            of = "" if self._whole is None else f" of {self._whole:,}"
            print_error(f"{number:,}{of} {self._what}")


def take_over(
    system: str, file: Path, database_url: str | None, *, dry_run: bool
) -> Mapping[str, int]:
    """Import a file of a system; return how many records of each kind it has.

    Raises CommandRefusedError, or UnusableDatabaseError.
    """
    content = read_file(file)
    with shop_settings(database_url=database_url) as settings:
        refuse_memory(settings)
        try:
            export = Export(system, content, Progress("records read"))
            check_and_write(export, settings, dry_run=dry_run)
        except JsonFileError as wrong:
            raise CommandRefusedError(f"{file}{wrong}") from None
    return export.counts


def read_file(file: Path) -> bytes:
    """Return the content of a file, at most MOST_BYTES and one, which shows that it is too large.

    Raises CommandRefusedError.
    """
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise CommandRefusedError(f"{file}: {error.strerror}.") from None


def check_and_write(export: Export, settings: Settings, *, dry_run: bool) -> None:
    """Check an export against the database, and write it; raises JsonFileError or LedgerError."""
    zone = ZoneInfo(settings.time_zone)
    rules = Rules(settings.delivery_lease_seconds, partial(day_of, zone=zone))
    report = Progress("records checked", sum(export.counts.values()))
    address = settings.ledger_url
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
