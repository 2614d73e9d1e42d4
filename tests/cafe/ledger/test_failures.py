"""Which of the drivers' errors may pass, which mean damage, and which are bugs."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from cafe.ledger.errors import DatabaseGone, NotALedger
from cafe.ledger.failures import LONGEST_TEXT, explained


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
        (on_sqlite(sqlite3.SQLITE_CORRUPT_INDEX), NotALedger),
        (on_sqlite(sqlite3.SQLITE_NOTADB), NotALedger),
        (on_sqlite(sqlite3.SQLITE_ERROR), type(None)),
        (on_sqlite(sqlite3.SQLITE_CONSTRAINT_UNIQUE), type(None)),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), type(None)),
        (psycopg.errors.AdminShutdown(), DatabaseGone),
        (psycopg.errors.CannotConnectNow(), DatabaseGone),
        (psycopg.errors.DiskFull(), DatabaseGone),
        (psycopg.errors.LockNotAvailable(), DatabaseGone),
        (psycopg.errors.QueryCanceled(), DatabaseGone),
        (psycopg.errors.ReadOnlySqlTransaction(), DatabaseGone),
        (psycopg.errors.DeadlockDetected(), DatabaseGone),
        (psycopg.errors.InvalidPassword(), DatabaseGone),
        (psycopg.errors.InsufficientPrivilege(), DatabaseGone),
        (psycopg.OperationalError("server closed the connection"), DatabaseGone),
        (psycopg.InterfaceError("the connection is closed"), DatabaseGone),
        (psycopg.errors.UniqueViolation(), type(None)),
        (psycopg.errors.UndefinedTable(), type(None)),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL"), type(None)),
        (ValueError("of Python's"), type(None)),
    ],
)
def test_an_error_is_what_it_means_for_the_shop(error: Exception, kind: type) -> None:
    assert type(explained(error)) is kind
    assert type(explained(OperationalError("COMMIT", None, error))) is kind


def test_what_the_driver_says_becomes_one_line_without_secrets_and_not_endless() -> None:
    error = psycopg.OperationalError("connection failed:\n\tpassword 'pa' of cafe\n" + "x" * 999)
    told = str(explained(error, ["pa"]))
    assert told.startswith("The database cannot be used now: connection failed: ***ssword '***'")
    assert len(told) < LONGEST_TEXT + 50
