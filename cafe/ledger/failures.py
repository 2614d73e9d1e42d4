"""What a driver's exception means for the shop. The one place that knows sqlite3's and psycopg's.

Rule: every exception of a driver becomes one of three. DatabaseGone: it may pass, so retry.
NotALedger: the file is damaged. RowRefused: the same statement would be refused again.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeGuard

from sqlalchemy.exc import DBAPIError

from cafe.ledger.errors import (
    DatabaseGone,
    LedgerError,
    LoginRefused,
    NotALedger,
    Reason,
    RowRefused,
)

if TYPE_CHECKING:
    import psycopg

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
REASONS_ON_SQLITE: dict[int, Reason] = {
    sqlite3.SQLITE_CONSTRAINT: "conflict",
    sqlite3.SQLITE_MISMATCH: "invalid",
    sqlite3.SQLITE_TOOBIG: "invalid",
}
NOT_BOUND = "Error binding parameter"
"""What sqlite3 says of a value of a type that it cannot store; it has no code for that."""
UNSTORABLE = (OverflowError, UnicodeEncodeError)
"""What both drivers raise, as Python's own, for an integer or a text that has no encoding."""

PASSING_ON_POSTGRESQL = ("08", "25", "40", "42501", "53", "55", "57", "58")
"""What SQLSTATE begins with: connection, read-only, deadlock, permission, resources, locks,
operator, system.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""
LOGIN_ON_POSTGRESQL = ("28", "3D")
"""Login, and the name of the database."""
LOGIN_REFUSED = re.compile(
    r"authentication failed|no password supplied|pg_hba\.conf|is not permitted to log in"
    r"|(?:role|database) \".*\" does not exist|permission denied for database"
    r"|no such (?:user|database)"
)
"""What a server or a pooler says then: libpq tells no SQLSTATE of a connection that was not made.
Said in another language it passes for an outage."""
REASONS_ON_POSTGRESQL: dict[str, Reason] = {"22": "invalid", "23": "conflict"}
LONGEST_TEXT = 300


def explained(error: Exception, secrets: Iterable[str] = ()) -> LedgerError | None:
    """Give the ledger's error for a driver's, wrapped by SQLAlchemy or not; None for any other.

    What the driver says is quoted, without any of `secrets`. Of a refused statement only the first
    line, because the next ones hold the row.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause)
    if _is_psycopg(cause):
        return _of_postgresql(cause, secrets)
    if isinstance(cause, UNSTORABLE):
        return _refused(str(cause), "invalid")
    return None


def _is_psycopg(cause: BaseException | None) -> TypeGuard[psycopg.Error]:
    # Who has an error of psycopg's has imported it; a shop on SQLite need not.
    driver = sys.modules.get("psycopg")
    return driver is not None and isinstance(cause, driver.Error)


def _of_sqlite(cause: sqlite3.Error) -> LedgerError:
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in DAMAGED_ON_SQLITE:
        return NotALedger(f"The database file is damaged: {_text(cause)}.")
    if code in PASSING_ON_SQLITE:
        return _gone(cause)
    reason: Reason = REASONS_ON_SQLITE.get(code, "internal")
    if isinstance(cause, sqlite3.DataError) or str(cause).startswith(NOT_BOUND):
        reason = "invalid"
    return _refused(str(cause), reason)


def _of_postgresql(cause: psycopg.Error, secrets: Iterable[str]) -> LedgerError:
    import psycopg  # noqa: PLC0415 - as above

    sqlstate = cause.sqlstate
    if sqlstate is None:
        # The server has not said it: it is about a value, or about the way to the server.
        if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
            is_login = LOGIN_REFUSED.search(str(cause)) is not None
            return (_not_let_in if is_login else _gone)(cause, secrets)
        return _refused(
            str(cause), "invalid" if isinstance(cause, psycopg.DataError) else "internal"
        )
    if sqlstate.startswith(LOGIN_ON_POSTGRESQL):
        return _not_let_in(cause, secrets)
    if sqlstate.startswith(PASSING_ON_POSTGRESQL):
        return _gone(cause, secrets)
    reason = REASONS_ON_POSTGRESQL.get(sqlstate[:2], "internal")
    return _refused(cause.diag.message_primary or type(cause).__name__, reason, sqlstate)


def _gone(cause: Exception, secrets: Iterable[str] = ()) -> DatabaseGone:
    return DatabaseGone(f"The database cannot be used now: {_text(cause, secrets)}.")


def _not_let_in(cause: Exception, secrets: Iterable[str]) -> LoginRefused:
    return LoginRefused(
        f"The database does not let the shop in: {_text(cause, secrets)}. "
        "Check the user, the password and the database's name in its URL."
    )


def _refused(said: str, reason: Reason, sqlstate: str | None = None) -> RowRefused:
    first = (said.splitlines() or [""])[0].rstrip(".?!")[:LONGEST_TEXT]
    sentence = f"The database refuses a statement: {first or 'it does not say why'}."
    return RowRefused(sentence, reason=reason, sqlstate=sqlstate)


def _text(cause: BaseException, secrets: Iterable[str] = ()) -> str:
    text = " ".join(str(cause).split()).rstrip(".?!")
    for secret in secrets:
        text = text.replace(secret, "***")
    return text[:LONGEST_TEXT] or type(cause).__name__
