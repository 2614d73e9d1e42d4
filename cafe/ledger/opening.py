"""Opens the ledger that a URL names.

Rule: whatever is wrong is one sentence, and no sentence holds a password.
"""

from __future__ import annotations

from pathlib import Path

from cafe.ledger.address import POSTGRESQL, is_in_memory, parse_address
from cafe.ledger.link import Database
from cafe.ledger.postgresql import PostgresDatabase
from cafe.ledger.sqlite import FileDatabase, MemoryDatabase
from cafe.ledger.store import Store


def open_store(url: str, *, busy_seconds: float = 2.0) -> Store:
    """Own the ledger at `url` and be ready to read and write it.

    A SQLite file is made or migrated where needed. `busy_seconds` bounds the wait for a lock that
    another program holds. Raises SchemaBehind (PostgreSQL only), NotALedger, DatabaseInUse,
    DatabaseGone, or WrongDatabaseError for a URL that names no ledger.
    """
    store = Store(_database(url, busy_seconds))
    try:
        # Connects, and so owns the database, and shows that it can be written.
        store.ping()
    except BaseException:
        store.close()
        raise
    return store


def upgrade(url: str, *, busy_seconds: float = 2.0) -> None:
    """Bring the tables of the ledger at `url` up to this program's version; raises as above."""
    database = _database(url, busy_seconds)
    if isinstance(database, PostgresDatabase):
        database.upgrade()
    # SQLite has done so in being opened.
    database.close()


def _database(address: str, busy_seconds: float) -> Database:
    url = parse_address(address)
    if url.drivername == POSTGRESQL:
        return PostgresDatabase(url, busy_seconds=busy_seconds)
    if is_in_memory(url):
        return MemoryDatabase()
    return FileDatabase(Path(str(url.database)), busy_seconds=busy_seconds)
