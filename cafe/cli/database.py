"""What the commands share that look into the shop's database.

Rule: the database is the one that `cafe serve` would open, with the same variable and option; what
is wrong with it is one line and exit code 2.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer
from typer.exceptions import TyperException

from cafe.cli.serve import WRONG_SETTING, help_text
from cafe.ledger.errors import LedgerError
from cafe.settings import SettingsError, option_name, read_settings

_FIELD = "database_url"

DatabaseUrl = Annotated[
    str | None,
    typer.Option(option_name(_FIELD), help=help_text(_FIELD), show_default=False, metavar="TEXT"),
]


class DatabaseTroubleError(TyperException):
    """The database cannot be used; ends a command with one line."""

    exit_code = WRONG_SETTING


@contextmanager
def shop_database(option: str | None) -> Generator[str]:
    """Give the database's address; raise DatabaseTroubleError for whatever is wrong with it."""
    try:
        yield read_settings({_FIELD: option}).database_url.get_secret_value()
    except (LedgerError, SettingsError) as error:
        raise DatabaseTroubleError(str(error)) from None
