"""A look into a ledger from outside: one moment of it, read-only, beside a shop that runs.

Rule: nothing is made and nothing is changed, whatever the address names; what cannot be read is
one sentence, without a password.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect, text
from sqlalchemy.engine import URL

from cafe.ledger.address import (
    WrongDatabaseError,
    is_in_memory,
    parse_address,
    secrets_of,
)
from cafe.ledger.errors import NotALedger
from cafe.ledger.link import telling
from cafe.ledger.migrating import VERSION_TABLE, is_current, refuse_behind, version_in
from cafe.ledger.tables import metadata

_BUSY_SECONDS = 5.0
_CONNECT_SECONDS = 5
_MAGIC = b"SQLite format 3\x00"


def named(url: URL) -> str:
    """Name a database without its secrets: a password may stand in the query too."""
    if url.drivername == "sqlite":
        return url.database or "memory"
    return url.set(query={}).render_as_string(hide_password=True)


def existing_file(url: URL) -> Path:
    """Give the file of an SQLite address; raises WrongDatabaseError or NotALedger."""
    if is_in_memory(url) or url.database is None:
        raise WrongDatabaseError("A ledger in memory can be seen by its own shop only.")
    path = Path(url.database)
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise WrongDatabaseError(f"{path} cannot be read: {error.strerror}.") from None
    if magic != _MAGIC:
        raise NotALedger(f"{path} is no SQLite database.")
    return path


def connect_to_file(path: Path) -> sqlite3.Connection:
    """Open an SQLite file that is there, to read it.

    Not by mode=ro: with that the last who closes leaves a -wal and a -shm file behind.
    """
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
    )
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def open_reader(address: str) -> Generator[Connection]:
    """Give a connection that sees the ledger as it is at one moment.

    Raises WrongDatabaseError, NotALedger, SchemaBehind or DatabaseGone.
    """
    url = parse_address(address)
    with _connected(url) as connection:
        refuse_behind(connection, named(url))
        yield connection


def version_of(address: str) -> str | None:
    """Give the version of a ledger's tables, None where there are none yet.

    Raises WrongDatabaseError, NotALedger or DatabaseGone.
    """
    url = parse_address(address)
    with _connected(url) as connection:
        is_current(connection, named(url))
        return version_in(connection)


@contextmanager
def _connected(url: URL) -> Generator[Connection]:
    engine = _engine(url)
    with telling(secrets_of(url)), engine.connect() as connection:
        if url.drivername == "sqlite":
            connection.exec_driver_sql("BEGIN")
        _refuse_others(connection, named(url))
        yield connection


def _refuse_others(connection: Connection, database: str) -> None:
    tables = set(inspect(connection).get_table_names())
    if tables and tables.isdisjoint({*metadata.tables, VERSION_TABLE}):
        raise NotALedger(f"{database} is a database of something else.")


def damages_of(connection: Connection) -> list[str]:
    """Give what the database itself finds wrong with its file: nothing, if all is well."""
    if connection.dialect.name != "sqlite":
        return []
    said = connection.execute(text("PRAGMA integrity_check(20)")).scalars()
    return [line for line in said if line != "ok"]


def _engine(url: URL) -> Engine:
    if url.drivername == "sqlite":
        path = existing_file(url)
        return create_engine("sqlite://", creator=lambda: connect_to_file(path), poolclass=NullPool)
    return create_engine(
        url,
        poolclass=NullPool,
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "cafe, reading",
            "client_encoding": "UTF8",
        },
    )
