"""Which version a database has, which one the program wants, and the way from one to the other.

Rule: inside the caller's transaction and under the caller's lock.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from cafe.ledger.errors import NotALedger, SchemaBehind
from cafe.ledger.tables import metadata

VERSION_TABLE = "alembic_version"
READ_VERSION = "SELECT version_num FROM alembic_version"


def migrate(connection: Connection) -> None:
    """Bring the tables up to the newest version; those that are there already stay as they are."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def is_current(connection: Connection, database: str) -> bool:
    """Say whether the tables have the newest version; False where some or all are missing.

    Raises NotALedger where a newer program, or somebody else, has made them.
    """
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in tables:
        if tables & metadata.tables.keys():
            raise NotALedger(f"{database} holds tables that this program has not made.")
        return False
    versions = connection.exec_driver_sql(READ_VERSION).scalars()
    return is_newest(set(versions), database)


def is_newest(versions: set[str], database: str) -> bool:
    """Say whether what `alembic_version` holds is the newest version.

    Raises NotALedger for a version that this program does not know.
    """
    if versions - known():
        raise NotALedger(f"{database} was made by a newer program, or is no ledger.")
    return versions == {newest()}


def refuse_behind(connection: Connection, database: str) -> None:
    """Raise SchemaBehind unless the tables have the newest version, or NotALedger as above."""
    if not is_current(connection, database):
        raise SchemaBehind(f"The tables of {database} are missing or old; run: cafe db upgrade")


@cache
def newest() -> str:
    """Name the version that this program wants."""
    (head,) = _scripts().get_heads()
    return head


@cache
def known() -> frozenset[str]:
    """Name every version that this program knows."""
    return frozenset(script.revision for script in _scripts().walk_revisions())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    # A percent sign would be read as an interpolation.
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    return config
