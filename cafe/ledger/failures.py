"""What a driver's exception means for the shop. The one place that knows sqlite3's and psycopg's.

Rule: only what may pass becomes DatabaseGone. Anything that the same statement would meet again, a
broken constraint for one, is a bug, and keeps its own exception.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import psycopg
from sqlalchemy.exc import DBAPIError

from cafe.ledger.errors import DatabaseGone, LedgerError, NotALedger

PASSING_ON_SQLITE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
DAMAGED_ON_SQLITE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

PASSING_ON_POSTGRESQL = ("08", "25", "28", "40", "42501", "53", "55", "57", "58")
"""What SQLSTATE begins with: connection, read-only, login, deadlock, permission, resources, locks,
operator, system.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""
LONGEST_TEXT = 300


def explained(error: DBAPIError | Exception, secrets: Iterable[str] = ()) -> LedgerError | None:
    """Give the ledger's error for a driver's, wrapped by SQLAlchemy or not; None for a bug.

    What the driver says is quoted, without any of `secrets`.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        passes, damaged = code in PASSING_ON_SQLITE, code in DAMAGED_ON_SQLITE
    elif isinstance(cause, psycopg.Error):
        passes, damaged = _passes_on_postgresql(cause), False
    else:
        return None
    if damaged:
        return NotALedger(f"The database file is damaged: {_text(cause, secrets)}.")
    if passes:
        return DatabaseGone(f"The database cannot be used now: {_text(cause, secrets)}.")
    return None


def _passes_on_postgresql(cause: psycopg.Error) -> bool:
    if cause.sqlstate is not None:
        return cause.sqlstate.startswith(PASSING_ON_POSTGRESQL)
    # The server has not said it, so it is about the way to the server.
    return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)


def _text(cause: BaseException, secrets: Iterable[str]) -> str:
    text = " ".join(str(cause).split()).rstrip(".?!")
    for secret in secrets:
        text = text.replace(secret, "***")
    return text[:LONGEST_TEXT] or type(cause).__name__
