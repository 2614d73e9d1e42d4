"""The errors of a ledger: for operators, for askers (refusals), and translated from drivers'.

Rule: every exception of a driver is translated into one of three errors, here and nowhere else.
DatabaseGone: it may pass, so retry. NotALedger: the file is damaged. RowRefused: the same statement
would be refused again. Each text is one sentence or two, for people.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeGuard

from sqlalchemy.exc import DBAPIError

from cafe.http.refusals import CafeRefusal, Unavailable

if TYPE_CHECKING:
    import psycopg

Reason = Literal["invalid", "conflict", "internal"]
"""Why a statement is refused: a value that the database cannot store; a constraint; anything else,
which is a bug of this program or of the server."""


class LedgerError(Exception):
    """The base of all errors of a ledger; unless it is caught, the shop does not start."""


class DatabaseInUse(LedgerError):  # noqa: N818 - it names a state
    """Another shop owns the database."""


class SchemaBehind(LedgerError):  # noqa: N818 - as above
    """The schema is older than the program; `cafe db upgrade` migrates it."""


class NotALedger(LedgerError):  # noqa: N818 - as above
    """The database is damaged, another program's, or a newer version's. It was not changed."""


class DatabaseGone(LedgerError):  # noqa: N818 - as above
    """The database cannot be reached, or cannot be written now; a retry may succeed."""


class LoginRefused(DatabaseGone):
    """The server answers, and refuses this login to this database.

    At a start that is a wrong setting; a running shop was accepted before, so it retries.
    """


class RowRefused(LedgerError):  # noqa: N818 - as above
    """The database refuses a statement, and would refuse a retry, too."""

    def __init__(self, sentence: str, *, reason: Reason, sqlstate: str | None = None) -> None:
        super().__init__(sentence)
        self.reason: Reason = reason
        self.sqlstate = sqlstate
        """PostgreSQL's code; None on SQLite, and if the statement never reached the server."""


class LedgerChanged(LedgerError):  # noqa: N818 - as above
    """The log does not end with this process's last commit, so the shop must not go on."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"The database does not end with event {position}, the last that this shop has "
            "committed: another shop has written to it, or it is a copy that lacks the last "
            "commits. Nothing was written; start the shop with the right database."
        )


class WrongDatabaseError(LedgerError):
    """The URL names no database that could hold a ledger."""


class LedgerUnavailable(Unavailable):
    """The database cannot be written or read at the moment."""

    reason = "ledger"

    def __init__(self) -> None:
        super().__init__("The shop's database is not available at the moment; try again soon.", 5.0)


class JournalClosed(LedgerUnavailable):
    """The entries that the reply depended on were not committed, and never will be: ask again.

    The department reloads the committed state; the repeated message then takes effect once.
    """


class NotRecorded(CafeRefusal):
    """The database refuses the row, and would refuse a retry, too."""

    status = 422
    members = ("reason",)

    def __init__(self, reason: Reason) -> None:
        super().__init__("The shop's database refuses to store this as it was sent.")
        self.reason = reason


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
"""The beginning of sqlite3's message for a value that it cannot store, which has no code."""
UNSTORABLE = (OverflowError, UnicodeEncodeError)
"""Python's own exceptions, which both drivers raise for a value that they cannot encode."""
PASSING_ON_POSTGRESQL = ("08", "25", "40", "42501", "53", "55", "57", "58")
"""Prefixes of SQLSTATE: connection, read-only, deadlock, permission, resources, locks, operator,
system.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""
LOGIN_ON_POSTGRESQL = ("28", "3D")
"""Prefixes of SQLSTATE: the login, and the name of the database."""
LOGIN_REFUSED = re.compile(
    r"authentication failed|no password supplied|pg_hba\.conf|is not permitted to log in"
    r"|(?:role|database) \".*\" does not exist|permission denied for database"
    r"|no such (?:user|database)"
)
"""Matches a server's or a pooler's message: libpq has no SQLSTATE for a failed connection. A
message in another language counts as an outage."""
REASONS_ON_POSTGRESQL: dict[str, Reason] = {"22": "invalid", "23": "conflict"}
LONGEST_TEXT = 300


def translate(error: BaseException, secrets: Iterable[str] = ()) -> LedgerError | None:
    """Return the ledger's error for a driver's, wrapped by SQLAlchemy or not; None for any other.

    It quotes the driver's message without any of `secrets`. Of a refused statement it quotes only
    the first line, because the next ones hold the row.
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
    # An error of psycopg's exists only where psycopg is imported; on SQLite it need not be.
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
        # Not from the server: it is about a value, or about the connection.
        if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
            is_login = LOGIN_REFUSED.search(str(cause)) is not None
            return (_login_refused if is_login else _gone)(cause, secrets)
        return _refused(
            str(cause), "invalid" if isinstance(cause, psycopg.DataError) else "internal"
        )
    if sqlstate.startswith(LOGIN_ON_POSTGRESQL):
        return _login_refused(cause, secrets)
    if sqlstate.startswith(PASSING_ON_POSTGRESQL):
        return _gone(cause, secrets)
    reason = REASONS_ON_POSTGRESQL.get(sqlstate[:2], "internal")
    return _refused(cause.diag.message_primary or type(cause).__name__, reason, sqlstate)


def _gone(cause: Exception, secrets: Iterable[str] = ()) -> DatabaseGone:
    return DatabaseGone(f"The database cannot be used now: {_text(cause, secrets)}.")


def _login_refused(cause: Exception, secrets: Iterable[str]) -> LoginRefused:
    return LoginRefused(
        f"The database refuses the login: {_text(cause, secrets)}. "
        "Check the user, the password and the database's name in its URL."
    )


def _refused(message: str, reason: Reason, sqlstate: str | None = None) -> RowRefused:
    first = (message.splitlines() or [""])[0].rstrip(".?!")[:LONGEST_TEXT]
    sentence = f"The database refuses a statement: {first or 'no reason is given'}."
    return RowRefused(sentence, reason=reason, sqlstate=sqlstate)


def _text(cause: BaseException, secrets: Iterable[str] = ()) -> str:
    text = " ".join(str(cause).split()).rstrip(".?!")
    for secret in secrets:
        text = text.replace(secret, "***")
    return text[:LONGEST_TEXT] or type(cause).__name__


@contextmanager
def translating(secrets: Iterable[str] = ()) -> Generator[None]:
    """Raise the ledger's errors in place of the drivers' in this block."""
    try:
        yield
    except Exception as error:
        translated = translate(error, secrets)
        if translated is None:
            raise
        raise translated from error
