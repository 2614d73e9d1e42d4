"""`cafe db restore`: put a copy in the database's place.

Rule: as of the other commands of `cafe db`; what is wrong is one line and exit code 2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cafe.cli.database import DatabaseUrl, shop_database
from cafe.ledger.backup import restore
from cafe.printable import printable


def restore_database(
    file: Annotated[
        Path, typer.Argument(help="What `cafe db backup` has made.", show_default=False)
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Put a copy in the database's place; no shop may run meanwhile.

    SQLite only: the former database is kept beside it under another name. For PostgreSQL it prints
    how to run pg_restore.
    """
    with shop_database(database_url) as address:
        former = restore(address, file)
    kept = "There was none before." if former is None else f"The former one is {former}"
    print(printable(f"The database is a copy of {file} now. {kept}"))
