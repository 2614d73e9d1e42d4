"""`cafe db`: migrate, copy and check the shop's database.

Rule: `check` and `backup` only read, beside a shop that runs; none of them makes a database.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cafe.cli.database import DatabaseUrl, shop_database
from cafe.departments import DEPARTMENTS
from cafe.ledger.backup import back_up
from cafe.ledger.checking import Promise, check
from cafe.ledger.migrating import newest
from cafe.ledger.opening import upgrade
from cafe.ledger.reading import open_reader, version_of

BROKEN = 1
MOST_SHOWN = 20
db = typer.Typer(
    help="Migrate, copy and check the shop's database.",
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
        print(f"The tables had {before or 'no version'}, and have version {version_of(address)}.")


@db.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A new file.", show_default=False)],
    database_url: DatabaseUrl = None,
) -> None:
    """Copy the database into a new file, while the shop runs.

    Of SQLite it is a database that `cafe serve` opens; of PostgreSQL an archive for pg_restore.
    """
    with shop_database(database_url) as address:
        size = back_up(address, file)
    print(f"{file}: {size:,} bytes")


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
