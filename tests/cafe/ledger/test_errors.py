"""Which of the drivers' errors may pass, which mean damage, and which refuse a statement."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from cafe.ledger.errors import (
    LONGEST_TEXT,
    DatabaseGone,
    LoginRefused,
    NotALedger,
    RowRefused,
    translate,
)


def on_sqlite(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("so it is")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (on_sqlite(sqlite3.SQLITE_FULL), DatabaseGone),
        (on_sqlite(sqlite3.SQLITE_IOERR_FSYNC), DatabaseGone),
        (on_sqlite(sqlite3.SQLITE_READONLY_DBMOVED), DatabaseGone),
        (on_sqlite(sqlite3.SQLITE_INTERRUPT), DatabaseGone),
        (on_sqlite(sqlite3.SQLITE_CORRUPT_INDEX), NotALedger),
        (on_sqlite(sqlite3.SQLITE_NOTADB), NotALedger),
        (psycopg.errors.AdminShutdown(), DatabaseGone),
        (psycopg.errors.CannotConnectNow(), DatabaseGone),
        (psycopg.errors.DiskFull(), DatabaseGone),
        (psycopg.errors.LockNotAvailable(), DatabaseGone),
        (psycopg.errors.QueryCanceled(), DatabaseGone),
        (psycopg.errors.ReadOnlySqlTransaction(), DatabaseGone),
        (psycopg.errors.DeadlockDetected(), DatabaseGone),
        (psycopg.errors.InvalidPassword(), LoginRefused),
        (psycopg.errors.InvalidAuthorizationSpecification(), LoginRefused),
        (psycopg.errors.InvalidCatalogName(), LoginRefused),
        # Of a connection that was not made the driver knows no code.
        (psycopg.OperationalError('FATAL: no pg_hba.conf entry for host "::1"'), LoginRefused),
        (psycopg.OperationalError('FATAL: role "cafe" is not permitted to log in'), LoginRefused),
        (psycopg.OperationalError('FATAL: permission denied for database "cafe"'), LoginRefused),
        (psycopg.OperationalError("FATAL: no such database: cafe"), LoginRefused),
        (psycopg.OperationalError("FATAL: sorry, too many clients already"), DatabaseGone),
        (psycopg.OperationalError("FATAL: the database system is starting up"), DatabaseGone),
        (psycopg.errors.InsufficientPrivilege(), DatabaseGone),
        (psycopg.OperationalError("server closed the connection"), DatabaseGone),
        (psycopg.InterfaceError("the connection is closed"), DatabaseGone),
        (ValueError("of Python's"), type(None)),
    ],
)
def test_a_driver_s_error_is_translated_by_what_a_retry_would_do(
    error: Exception, kind: type
) -> None:
    assert type(translate(error)) is kind
    assert type(translate(OperationalError("COMMIT", None, error))) is kind


@pytest.mark.parametrize(
    ("error", "reason", "sqlstate"),
    [
        (on_sqlite(sqlite3.SQLITE_ERROR), "internal", None),
        (on_sqlite(sqlite3.SQLITE_CONSTRAINT_UNIQUE), "conflict", None),
        (on_sqlite(sqlite3.SQLITE_MISMATCH), "invalid", None),
        (on_sqlite(sqlite3.SQLITE_TOOBIG), "invalid", None),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), "internal", None),
        (psycopg.errors.UniqueViolation(), "conflict", "23505"),
        (psycopg.errors.StringDataRightTruncation(), "invalid", "22001"),
        (psycopg.errors.UndefinedTable(), "internal", "42P01"),
        (psycopg.errors.InternalError_(), "internal", "XX000"),
        (psycopg.errors.RaiseException(), "internal", "P0001"),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL"), "invalid", None),
        (psycopg.ProgrammingError("cannot adapt type 'object'"), "internal", None),
    ],
)
def test_what_a_retry_would_meet_again_is_a_statement_refused(
    error: Exception, reason: str, sqlstate: str | None
) -> None:
    for translated in (translate(error), translate(OperationalError("COMMIT", None, error))):
        assert isinstance(translated, RowRefused)
        assert (translated.reason, translated.sqlstate) == (reason, sqlstate)


@pytest.mark.parametrize("value", [2**63, "\ud800", object(), "x" * 2000])
def test_a_value_that_sqlite_cannot_store_is_refused_as_invalid(value: object) -> None:
    connection = sqlite3.connect(":memory:")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000)
    with pytest.raises(Exception, match=r"(?s).+") as caught:
        connection.execute("SELECT ?", (value,))
    connection.close()
    translated = translate(caught.value)
    assert isinstance(translated, RowRefused)
    assert translated.reason == "invalid"


def test_of_a_refused_statement_only_the_line_without_the_row_is_quoted() -> None:
    error = psycopg.DataError("no room for this\nDETAIL:  Failing row contains (Zoë).")
    assert str(translate(error)) == "The database refuses a statement: no room for this."


def test_a_driver_s_message_becomes_one_short_line_without_secrets() -> None:
    error = psycopg.OperationalError("connection failed:\n\tpassword 'pa' of cafe\n" + "x" * 999)
    translated = str(translate(error, ["pa"]))
    assert translated.startswith(
        "The database cannot be used now: connection failed: ***ssword '***'"
    )
    assert len(translated) < LONGEST_TEXT + 50
