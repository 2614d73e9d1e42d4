"""The options that several commands have, and the exit code for a wrong one.

Rule: it imports no settings, so that help and completion are fast; a test compares the texts about
settings here with the settings.
"""

from __future__ import annotations

from typing import Annotated, Final

import typer

from cafe.cli.asking import parse_full_url

WRONG_SETTING: Final = 2
"""The exit code for a wrong command line or setting, or for a request that the shop refuses."""
DATABASE_URL: Final = (
    "the database: sqlite:///FILE, sqlite:// for memory only, or "
    "postgresql+psycopg://USER:PASSWORD@HOST/NAME "
    "(CAFE_DATABASE_URL, default sqlite:///cafe.db)"
)
SHOP: Final = (
    "this shop's name where several share a database of PostgreSQL: its tables are in the schema "
    "cafe_NAME (CAFE_SHOP)"
)
KEEP_DAYS: Final = "days after which what has ended is deleted (CAFE_KEEP_DAYS, default 400)"

DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help=DATABASE_URL, show_default=False)
]
ShopName = Annotated[str | None, typer.Option("--shop", help=SHOP, show_default=False)]
ShopUrl = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="The baristas' port of the shop that runs; default: where its settings put it.",
        show_default=False,
        metavar="URL",
        parser=parse_full_url,
    ),
]
