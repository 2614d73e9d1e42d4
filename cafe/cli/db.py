"""`cafe db`: migrate, copy and check the shop's database.

Rule: `check` and `backup` only read, beside a shop that runs; the others own the database, so that
no shop may run meanwhile.
"""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cafe.cli.database import DatabaseUrl, shop_database
from cafe.cli.restore import restore_database
from cafe.cli.serve import help_text
from cafe.ledger.backup import back_up
from cafe.ledger.checking import Promise, check, open_reader, version_of
from cafe.ledger.database import upgrade
from cafe.ledger.log import prune_some
from cafe.ledger.store import open_store
from cafe.ledger.tables import newest
from cafe.printable import printable
from cafe.settings import read_settings
from cafe.shop.departments import DEPARTMENTS

BROKEN = 1
MOST_SHOWN = 20
DAY = 86_400.0

db = typer.Typer(
    help="Migrate, copy, restore, prune and check the shop's database.",
    no_args_is_help=True,
)


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

    SQLite only: the copy is a database that `cafe serve` opens. For PostgreSQL it prints how to run
    pg_dump.
    """
    with shop_database(database_url) as address:
        size = back_up(address, file)
    print(f"{printable(str(file))}: {size:,} bytes")


db.command("restore")(restore_database)


@db.command("prune")
def prune_tables(
    keep_days: Annotated[
        int | None,
        typer.Option(min=1, help=help_text("keep_days"), show_default=False, metavar="INTEGER"),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Delete orders that ended long ago, with all that happened to them.

    A shop that runs does so by itself, once an hour; this is for one that does not. A SQLite file
    gets no smaller by it: what is free is used again.
    """
    with shop_database(database_url) as address:
        with open_reader(address):
            pass  # it is a ledger of this version, or this raises: none is made or migrated
        prune_ledger(address, keep_days)


def prune_ledger(address: str, keep_days: int | None) -> None:
    """Prune every department's part, and tell how far it is."""
    with closing(open_store(address)) as store:
        days = keep_days or read_settings({}).keep_days
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
    """Check everything that is promised of orders, while the shop runs.

    The exit code is 1 when a promise is broken; its orders are named.
    """
    with shop_database(database_url) as address, open_reader(address) as connection:
        promises = [_told(promise) for promise in check(connection, DEPARTMENTS)]
    broken = [promise for promise in promises if promise.findings]
    if broken:
        print(f"{len(broken)} of {len(promises)} promises are broken.")
        raise typer.Exit(BROKEN)
    print(f"All {len(promises)} promises hold.")


def _told(promise: Promise) -> Promise:
    print(f"{'broken' if promise.findings else 'OK':7} {promise.sentence}")
    for finding in promise.findings[:MOST_SHOWN]:
        print(f"{'':7} - {finding}")
    if (more := len(promise.findings) - MOST_SHOWN) > 0:
        print(f"{'':7} and {more} more")
    return promise
