"""The ledger on PostgreSQL.

Rule: who holds the advisory lock on the connection owns the database, and every connection takes it
before it does anything else. Nothing waits without an end, on either side.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event

from cafe.ledger.address import secrets_of
from cafe.ledger.errors import DatabaseGone, DatabaseInUse
from cafe.ledger.link import telling
from cafe.ledger.migrating import is_current, migrate, refuse_behind

RV = TypeVar("RV")

LOCK = (0x63616665, 1)
"""What the advisory lock is called in each database: "cafe", and the first of its kind."""
LOCK_SECONDS = 0.3
"""How long a new owner waits for the lock: a server frees a dead client's within milliseconds."""
CONNECT_SECONDS = 3
ANSWER_SECONDS = 35.0
"""Longer than the server lets a statement take."""
LOST_SECONDS = 10
"""After this, data that the other side has not acknowledged ends a connection."""
SESSION = "FROM pg_stat_activity WHERE pid = %s::int AND backend_start = %s::timestamptz"
SETTINGS = {
    "application_name": "cafe",
    "idle_in_transaction_session_timeout": "10s",
    # For what hangs, not for what is long: a start reads all orders to count them.
    "statement_timeout": "30s",
    # So that a machine that vanished does not own the database for hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": f"{LOST_SECONDS}s",
}


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that ends when the server does not answer.

    The server's own time-outs mean nothing to a server that is frozen, and TCP's nothing where the
    machine still answers for it.
    """

    patience: float | None = ANSWER_SECONDS

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer; raises OperationalError when patience ends."""
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:
                # No error of the server's: whatever it sends from here on answers nothing.
                self.pgconn.finish()
            raise


class PostgresDatabase:
    """One database of a server, owned by whoever holds its advisory lock."""

    def __init__(self, url: URL, *, busy_seconds: float) -> None:
        """Remember where it is; `connect` goes there."""
        self._name = f"the database {url.database or url.username} on {url.host or 'this machine'}"
        self.secrets = secrets_of(url)
        self._engine = _engine(url)
        self._milliseconds = max(1, round(busy_seconds * 1000))
        self._session: tuple[Any, ...] = (None, None)

    def connect(self) -> Connection:
        """Connect, own the database, and see that its tables are as they should be.

        Raises DatabaseInUse, SchemaBehind or NotALedger. Anew with every connection: while there
        was none, another program may have come and gone.
        """
        connection = self._engine.connect()
        try:
            self._set_up(connection)
            self._own(connection)
            refuse_behind(connection, self._name)
            connection.commit()
        except BaseException:
            _drop(connection)
            raise
        return connection

    def begin(self, connection: Connection, *, writing: bool) -> None:
        """Do nothing: the driver begins with the first statement."""

    def close(self) -> None:
        """Do nothing: the lock has gone with the connection."""

    def upgrade(self) -> None:
        """Make the tables, or bring them up; nobody else may own the database meanwhile."""
        with telling(self.secrets):
            connection = self._engine.connect()
            try:
                self._set_up(connection)
                self._own(connection)
                if not is_current(connection, self._name):
                    _set(connection, "statement_timeout", "0")
                    _driver_of(connection).patience = None
                    migrate(connection)
                    connection.commit()
            finally:
                _drop(connection)

    def _set_up(self, connection: Connection) -> None:
        for name, value in SETTINGS.items():
            _set(connection, name, value)
        # Whatever the server's default: what is committed is on a disk.
        connection.exec_driver_sql(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()

    def _own(self, connection: Connection) -> None:
        """Take the lock, from a former connection of ours too if the server still has that."""
        _set(connection, "lock_timeout", f"{round(LOCK_SECONDS * 1000)}ms")
        # By its start too: a number comes again, and may then be another shop's.
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {SESSION}", self._session)
        try:
            connection.exec_driver_sql("SELECT pg_advisory_lock(%s, %s)", LOCK)
        except Exception as error:
            if not isinstance(getattr(error, "orig", None), psycopg.errors.LockNotAvailable):
                raise
            connection.rollback()
            if self._has_former_session(connection):
                raise DatabaseGone(f"{self._name} still ends our session before.") from None
            raise DatabaseInUse(f"Another shop uses {self._name}.") from None
        self._session = tuple(
            connection.exec_driver_sql(
                "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            ).one()
        )
        _set(connection, "lock_timeout", f"{self._milliseconds}ms")
        connection.commit()

    def _has_former_session(self, connection: Connection) -> bool:
        rows = connection.exec_driver_sql(f"SELECT pid {SESSION}", self._session)
        return rows.first() is not None


def _engine(url: URL) -> Engine:
    arguments: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": LOST_SECONDS * 1000,
        "keepalives_idle": LOST_SECONDS,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    event.listen(engine, "do_connect", _connect)
    return engine


def _connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> ImpatientConnection:
    return ImpatientConnection.connect(*arguments, **options)


def _driver_of(connection: Connection) -> ImpatientConnection:
    driver = connection.connection.driver_connection
    if not isinstance(driver, ImpatientConnection):
        raise TypeError(driver)
    return driver


def _drop(connection: Connection) -> None:
    """Disconnect without a word to a server that may not listen."""
    connection.invalidate()
    connection.close()


def _set(connection: Connection, name: str, value: str) -> None:
    connection.exec_driver_sql("SELECT set_config(%s, %s, false)", (name, value))
