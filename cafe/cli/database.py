"""`cafe db` and `cafe report`: the commands that use the shop's database.

Rule: the database is the one that `cafe serve` would open, with the same variable and option;
what is wrong with it is one line and exit code 2. `check`, `backup` and `report` only read, and
may run beside a shop; the others own the database, so no shop may run meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer.exceptions import TyperException

from cafe.cli.serve import WRONG_SETTING, help_text
from cafe.ledger.backup import back_up, restore
from cafe.ledger.checking import Promise, check, open_reader, version_of
from cafe.ledger.database import upgrade
from cafe.ledger.errors import LedgerError
from cafe.ledger.log import prune_some
from cafe.ledger.store import open_store
from cafe.ledger.tables import newest
from cafe.operations.printable import printable
from cafe.operations.report import Day, Hours, as_chart, as_json, as_tables
from cafe.orders.queries import read_histories
from cafe.settings import Settings, SettingsError, option_name, read_settings
from cafe.shop.departments import DEPARTMENTS
from cafe.shop.housekeeping import DAY

BROKEN = 1
MOST_SHOWN = 20

db = typer.Typer(
    help="Migrate, copy, restore, prune and check the shop's database.",
    no_args_is_help=True,
)

_FIELD = "database_url"
DatabaseUrl = Annotated[
    str | None,
    typer.Option(option_name(_FIELD), help=help_text(_FIELD), show_default=False, metavar="TEXT"),
]


class UnusableDatabaseError(TyperException):
    """The database cannot be used; ends a command with one line."""

    exit_code = WRONG_SETTING


@contextmanager
def shop_settings(**options: object) -> Generator[Settings]:
    """Yield the settings; raise UnusableDatabaseError for what is wrong with them or the ledger."""
    try:
        yield read_settings(options)
    except (LedgerError, SettingsError) as error:
        raise UnusableDatabaseError(str(error)) from None


@contextmanager
def shop_database(option: str | None) -> Generator[str]:
    """Yield the database's URL; raise UnusableDatabaseError for whatever is wrong with it."""
    with shop_settings(database_url=option) as settings:
        yield settings.database_url.get_secret_value()


@db.command("upgrade")
def upgrade_tables(database_url: DatabaseUrl = None) -> None:
    """Bring the tables up to this program's version.

    The shop does so by itself on SQLite; on PostgreSQL it refuses to start until this has run.
    No shop may use the database meanwhile.
    """
    with shop_database(database_url) as address:
        before = version_of(address)
        if before == newest():
            print(f"The tables have version {before}, the newest; there is nothing to do.")
            return
        upgrade(address)
        had = "no version" if before is None else f"version {before}"
        print(f"The tables had {had}, and have version {version_of(address)}.")


@db.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A new file.", show_default=False)],
    database_url: DatabaseUrl = None,
) -> None:
    """Copy the database into a new file, while the shop runs.

    With SQLite the copy is a database that `cafe serve` opens; with PostgreSQL, an archive for
    pg_restore.
    """
    with shop_database(database_url) as address:
        size = back_up(address, file)
    print(f"{printable(str(file))}: {size:,} bytes")


@db.command("restore")
def restore_database(
    file: Annotated[
        Path, typer.Argument(help="What `cafe db backup` has made.", show_default=False)
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Put a copy in the database's place; no shop may run meanwhile.

    For SQLite only: the database that was there is kept beside it under another name. For
    PostgreSQL it prints how to run pg_restore.
    """
    with shop_database(database_url) as address:
        former = restore(address, file)
    kept = "There was none before." if former is None else f"The former one is {former}."
    print(printable(f"The database is a copy of {file} now. {kept}"))


@db.command("prune")
def prune_tables(
    keep_days: Annotated[
        int | None,
        typer.Option(min=1, help=help_text("keep_days"), show_default=False, metavar="INTEGER"),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Delete what ended long ago, such as orders and bookings, with all its events.

    A shop that runs does so by itself, once an hour; this is for one that does not. A SQLite file
    does not shrink: its free pages are used again.
    """
    with shop_settings(database_url=database_url, keep_days=keep_days) as settings:
        address = settings.database_url.get_secret_value()
        with open_reader(address):
            pass  # raises unless it is a ledger of this version: none is made or migrated
        prune_ledger(address, settings.keep_days)


def prune_ledger(address: str, days: int) -> None:
    """Prune every department's part, and print the progress."""
    with closing(open_store(address)) as store:
        before = time.time() - days * DAY
        for department in DEPARTMENTS:
            pruned = 0
            some = partial(prune_some, department=department, before=before, followers=DEPARTMENTS)
            while deleted := store.maintain(some):
                pruned += deleted
                print(f"\r{department.name}: {pruned:,} deleted", end="", flush=True)
            print(f"\r{department.name}: {pruned:,} deleted that ended over {days} days ago")


@db.command("check")
def check_tables(database_url: DatabaseUrl = None) -> None:
    """Check everything that is promised of what is stored, while the shop runs.

    The exit code is 1 when a promise is broken; what breaks it is listed.
    """
    with shop_database(database_url) as address, open_reader(address) as connection:
        promises = [_printed(promise) for promise in check(connection, DEPARTMENTS)]
    broken = [promise for promise in promises if promise.findings]
    if broken:
        print(f"{len(broken)} of {len(promises)} promises are broken.")
        raise typer.Exit(BROKEN)
    print(f"All {len(promises)} promises hold.")


def _printed(promise: Promise) -> Promise:
    print(f"{'broken' if promise.findings else 'OK':7} {promise.sentence}")
    for finding in promise.findings[:MOST_SHOWN]:
        print(printable(f"{'':7} - {finding}"))
    if (more := len(promise.findings) - MOST_SHOWN) > 0:
        print(f"{'':7} and {more} more")
    return promise


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
    as_data: Annotated[bool, typer.Option("--json", help="Print JSON, times in seconds.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Print the figures of a day: orders, waits, brewing times, baristas, and its hours.

    It counts the orders placed on that day, as they stand now. The shop may run meanwhile.
    """
    day = day or datetime.now().astimezone().date()
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
