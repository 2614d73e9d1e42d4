"""The ledger's own tables, and the versions of the whole schema: which one a database has.

Rule: columns only; only the departments know the meaning of a status or an action. They add their
tables to the same metadata, so that one database holds all of them and one migration makes them. A
migration runs inside the caller's transaction and under the caller's lock; alembic is imported only
when there is something to migrate.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    inspect,
)

from cafe.ledger.errors import NotALedger, SchemaBehind
from cafe.migrations import VERSIONS

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)
CONSTANT = {"constant": True}
"""The `info` of a column that never changes once its row is inserted: a Put then skips it."""


def one_of(column: str, words: Iterable[str]) -> str:
    """Return the SQL condition that a column has one of some words, for a check or an index."""
    return f"{column} IN ({', '.join(repr(str(word)) for word in words)})"


events = Table(
    "events",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("department", String(32), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("before", String(32)),
    Column("after", String(32), nullable=False),
    Column("at", Float(53), nullable=False),
    Column("by", Text),
    Column("reason", Text),
    Column("data", Text),
)
Index("ix_events_subject", events.c.subject, events.c.department)
prunings = Table(
    "prunings",
    metadata,
    # One row: up to this position events may have been deleted.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("through", BigInteger, nullable=False),
)
VERSION_TABLE = "alembic_version"
READ_VERSION = "SELECT version_num FROM alembic_version"
_versions = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""The table of the version, as alembic makes it."""


def make_tables(connection: Connection) -> None:
    """Make the tables of the newest version in an empty database, as `migrate` would."""
    metadata.create_all(connection)
    _versions.create(connection)
    connection.execute(_versions.insert().values(version_num=newest()))


def migrate(connection: Connection) -> None:
    """Migrate the tables to the newest version; do nothing if they have it."""
    from alembic import command  # noqa: PLC0415 - see the rule
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    # A percent sign would be read as an interpolation.
    folder = str(Path(__file__).parent.parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")


def is_current(connection: Connection, database: str) -> bool:
    """Return whether the tables have the newest version; False if there are none.

    Raises NotALedger if a newer version or another program has made them.
    """
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in tables:
        if tables & metadata.tables.keys():
            raise NotALedger(f"{database} holds tables that this program has not made.")
        return False
    versions = connection.exec_driver_sql(READ_VERSION).scalars()
    return is_newest(set(versions), database)


def is_newest(versions: set[str], database: str) -> bool:
    """Return whether `alembic_version` contains the newest version, and nothing else.

    Raises NotALedger for a version that this program does not know.
    """
    if not versions <= {*VERSIONS}:
        raise NotALedger(f"{database} was made by a newer program, or is no ledger.")
    return versions == {newest()}


def refuse_behind(connection: Connection, database: str) -> None:
    """Raise SchemaBehind unless the tables have the newest version, or NotALedger as above."""
    if not is_current(connection, database):
        version = version_in(connection)
        if version is None:
            raise SchemaBehind(f"There are no tables in {database} yet; run: cafe db upgrade")
        raise SchemaBehind(
            f"The tables of {database} have version {version}, and this program needs {newest()}; "
            "run: cafe db upgrade"
        )


def version_in(connection: Connection) -> str | None:
    """Return the version of the tables; None if there are none, or no version is stored."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.exec_driver_sql(READ_VERSION).scalar()
    return version


def newest() -> str:
    """Return the version that this program needs."""
    return VERSIONS[-1]
