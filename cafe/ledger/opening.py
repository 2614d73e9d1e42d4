"""Opens the ledger that a URL names.

Rule: whatever is wrong is one sentence, and no sentence holds a password.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url

from cafe.ledger.errors import LedgerError
from cafe.ledger.link import Database
from cafe.ledger.postgresql import PostgresDatabase
from cafe.ledger.sqlite import FileDatabase, MemoryDatabase
from cafe.ledger.store import Store

FORMS = "sqlite:///FILE, sqlite:// or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"


def open_store(url: str, *, busy_seconds: float = 2.0) -> Store:
    """Own the ledger at `url` and be ready to read and write it.

    A SQLite file is made or migrated where needed. `busy_seconds` bounds the wait for a lock that
    another program holds. Raises SchemaBehind (PostgreSQL only), NotALedger, DatabaseInUse,
    DatabaseGone, or LedgerError itself for a URL that names no ledger.
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


def _database(url: str, busy_seconds: float) -> Database:
    try:
        parsed = make_url(url)
    except Exception:  # noqa: BLE001 - any, and its text may hold half a password
        raise LedgerError(f"The database URL cannot be read; it is {FORMS}.") from None
    if parsed.drivername == "sqlite":
        return _sqlite(parsed, busy_seconds)
    if parsed.drivername == "postgresql+psycopg":
        return PostgresDatabase(parsed, busy_seconds=busy_seconds)
    raise LedgerError(f"No ledger can be kept at {parsed.drivername}://; a database is {FORMS}.")


def _sqlite(url: URL, busy_seconds: float) -> Database:
    if url.host is not None or url.query:
        raise LedgerError(f"The database URL cannot be read; it is {FORMS}.")
    if url.database in {None, "", ":memory:"}:
        return MemoryDatabase()
    return FileDatabase(Path(str(url.database)), busy_seconds=busy_seconds)
