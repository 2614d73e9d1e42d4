"""`cafe db`: the commands that work on the shop's database itself.

Rule: `check` and `backup` only read, and may run beside a shop; the others own the database, so no
shop may run meanwhile. A command imports what it needs when it runs, not for its help and
completion.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cafe.cli.imports import importing
from cafe.cli.options import KEEP_DAYS, DatabaseUrl, ShopName
from cafe.operations.printable import printable

if TYPE_CHECKING:
    from cafe.ledger.checking import Promise

BROKEN = 1
MOST_SHOWN = 20

db = typer.Typer(
    help="Migrate, copy, restore, prune and check the shop's database.",
    no_args_is_help=True,
)


@contextmanager
def whole_database(option: str | None, shop: str | None = None) -> Generator[str]:
    """Yield the database's URL, like `shop_database`, after importing all departments' tables.

    Otherwise a migration would create only some of them.
    """
    with importing():
        from cafe.cli.ledgers import shop_database  # noqa: PLC0415 - not for help

        import_module("cafe.shop.departments")
    with shop_database(option, shop) as address:
        yield address


@db.command("upgrade")
def upgrade_tables(database_url: DatabaseUrl = None, shop: ShopName = None) -> None:
    """Bring the tables up to this program's version.

    The shop does so by itself on SQLite; on PostgreSQL it refuses to start until this has run.
    No shop may use the database meanwhile.
    """
    with importing():
        from cafe.ledger.checking import version_of  # noqa: PLC0415 - not for help
        from cafe.ledger.database import upgrade  # noqa: PLC0415
        from cafe.ledger.tables import newest  # noqa: PLC0415

    with whole_database(database_url, shop) as address:
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
    shop: ShopName = None,
) -> None:
    """Copy the database into a new file, while the shop runs.

    With SQLite the copy is a database that `cafe serve` opens; with PostgreSQL, an archive for
    pg_restore.
    """
    with importing():
        from cafe.ledger.backup import back_up  # noqa: PLC0415 - not for help

    with whole_database(database_url, shop) as address:
        size = back_up(address, file)
    print(f"{printable(str(file))}: {size:,} bytes")


@db.command("restore")
def restore_database(
    file: Annotated[
        Path, typer.Argument(help="What `cafe db backup` has made.", show_default=False)
    ],
    database_url: DatabaseUrl = None,
    shop: ShopName = None,
) -> None:
    """Put a copy in the database's place; no shop may run meanwhile.

    For SQLite only: the database that was there is kept beside it under another name. For
    PostgreSQL it prints how to run pg_restore.
    """
    with importing():
        from cafe.ledger.backup import restore  # noqa: PLC0415 - not for help

    with whole_database(database_url, shop) as address:
        former = restore(address, file)
    kept = "There was none before." if former is None else f"The former one is {former}."
    print(printable(f"The database is a copy of {file} now. {kept}"))


@db.command("prune")
def prune_tables(
    keep_days: Annotated[
        int | None,
        typer.Option(min=1, help=KEEP_DAYS, show_default=False),
    ] = None,
    database_url: DatabaseUrl = None,
    shop: ShopName = None,
) -> None:
    """Delete what ended long ago, such as orders and bookings, with all its events.

    A shop that runs does so by itself, once an hour; this is for one that does not. A SQLite file
    does not shrink: its free pages are used again.
    """
    with importing():
        from cafe.cli.ledgers import shop_settings  # noqa: PLC0415 - not for help
        from cafe.ledger.checking import open_reader  # noqa: PLC0415

    with shop_settings(database_url=database_url, shop=shop, keep_days=keep_days) as settings:
        address = settings.ledger_url
        with open_reader(address):
            pass  # raises unless it is a ledger of this version: none is made or migrated
        prune_ledger(address, settings.keep_days)


def prune_ledger(address: str, days: int) -> None:
    """Prune every department's part, and print the progress."""
    with importing():
        from cafe.ledger.log import prune_some  # noqa: PLC0415 - not for help
        from cafe.ledger.store import open_store  # noqa: PLC0415
        from cafe.shop.departments import DEPARTMENTS  # noqa: PLC0415
        from cafe.shop.housekeeping import DAY  # noqa: PLC0415

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
def check_tables(database_url: DatabaseUrl = None, shop: ShopName = None) -> None:
    """Check everything that is promised of what is stored, while the shop runs.

    The exit code is 1 when a promise is broken; what breaks it is listed.
    """
    with importing():
        from cafe.ledger.checking import check, open_reader  # noqa: PLC0415 - not for help
        from cafe.shop.departments import DEPARTMENTS  # noqa: PLC0415

    with whole_database(database_url, shop) as address, open_reader(address) as connection:
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
