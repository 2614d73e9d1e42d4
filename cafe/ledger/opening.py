"""Opens the ledger that a URL names.

Rule: whatever is wrong is one sentence, and no sentence holds a password. Of the two databases only
the one that the URL names is imported: a driver is 9 MB.
"""

from __future__ import annotations

from pathlib import Path

from cafe.ledger.address import POSTGRESQL, is_in_memory, parse_address
from cafe.ledger.link import Database, Link
from cafe.ledger.store import Store


def open_database(url: str, *, busy_seconds: float = 2.0) -> Database:
    """Give the database at `url`. A SQLite file is owned from here on, and made or migrated.

    `busy_seconds` bounds the wait for a lock that another program holds. Raises NotALedger,
    DatabaseInUse, DatabaseGone, or WrongDatabaseError for a URL that names no ledger.
    """
    address = parse_address(url)
    if address.drivername == POSTGRESQL:
        from cafe.ledger.postgresql import PostgresDatabase  # noqa: PLC0415 - see the rule

        return PostgresDatabase(address, busy_seconds=busy_seconds)
    if is_in_memory(address):
        from cafe.ledger.memory import MemoryDatabase  # noqa: PLC0415

        return MemoryDatabase()
    from cafe.ledger.sqlite import FileDatabase  # noqa: PLC0415

    return FileDatabase(Path(str(address.database)), busy_seconds=busy_seconds)


def waits_for_server(url: str) -> bool:
    """Tell whether the database is a server's, which may be started after the shop."""
    return parse_address(url).drivername == POSTGRESQL


def open_links(database: Database) -> tuple[Link, Link]:
    """Give the writer's link and the reader's; the same one twice where there is one connection.

    Neither has connected yet. Close the reader's first: the writer's gives back the ownership.
    """
    writer = Link(database)
    return writer, writer if database.shares_connection else Link(database, reading=True)


def open_store(url: str, *, busy_seconds: float = 2.0) -> Store:
    """Own the ledger at `url` and be ready to read and write it.

    As `open_database`, and raises SchemaBehind too (PostgreSQL only).
    """
    store = Store(*open_links(open_database(url, busy_seconds=busy_seconds)))
    try:
        # Connects, and so owns the database, and shows that it can be written.
        store.ping()
    except BaseException:
        store.close()
        raise
    return store


def upgrade(url: str, *, busy_seconds: float = 2.0) -> None:
    """Bring the tables of the ledger at `url` up to this program's version; raises as above."""
    database = open_database(url, busy_seconds=busy_seconds)
    try:
        database.upgrade()
    finally:
        database.close()
