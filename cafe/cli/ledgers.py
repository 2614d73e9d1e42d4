"""The shop's database for commands that work on it.

Rule: it is the one that `cafe serve` would open, with the same variable and option; an error is one
line and exit code 2.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from typer.exceptions import TyperException

from cafe.cli.options import WRONG_SETTING
from cafe.ledger.errors import LedgerError
from cafe.settings import Settings, SettingsError, read_settings


class UnusableDatabaseError(TyperException):
    """The database cannot be used; ends a command with one line."""

    exit_code = WRONG_SETTING


@contextmanager
def shop_settings(**options: object) -> Generator[Settings]:
    """Yield the settings; raises UnusableDatabaseError for an error in them or of the ledger."""
    try:
        yield read_settings(options)
    except (LedgerError, SettingsError) as error:
        raise UnusableDatabaseError(str(error)) from None


@contextmanager
def shop_database(option: str | None, shop: str | None = None) -> Generator[str]:
    """Yield the database's URL; raises UnusableDatabaseError for any error of the database."""
    with shop_settings(database_url=option, shop=shop) as settings:
        yield settings.ledger_url
