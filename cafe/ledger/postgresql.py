"""The ledger on PostgreSQL.

Rule: who holds the advisory lock on the connection owns the database, and every connection takes it
before it does anything else. Nothing waits without an end, on either side.
"""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine

from cafe.ledger.errors import DatabaseInUse
from cafe.ledger.link import telling
from cafe.ledger.migrating import is_current, migrate, refuse_behind

LOCK = (0x63616665, 1)
"""What the advisory lock is called in each database: "cafe", and the first of its kind."""
LOCK_SECONDS = 0.3
"""How long a new owner waits for the lock: a server frees a dead client's within milliseconds."""
CONNECT_SECONDS = 3
LOST_SECONDS = 10
"""After this, data that the other side has not acknowledged ends a connection."""
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


class PostgresDatabase:
    """One database of a server, owned by whoever holds its advisory lock."""

    def __init__(self, url: URL, *, busy_seconds: float) -> None:
        """Remember where it is; `connect` goes there."""
        self._name = f"the database {url.database or url.username} on {url.host or 'this machine'}"
        passwords = (url.password, url.query.get("password"), url.query.get("sslpassword"))
        self.secrets = tuple(str(password) for password in passwords if password)
        self._engine = _engine(url)
        self._milliseconds = max(1, round(busy_seconds * 1000))
        self._session: int | None = None

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
        if self._session is not None:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE locktype = 'advisory' AND granted AND pid = %s"
                " AND (classid, objid) = (%s, %s)"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                (self._session, *LOCK),
            )
        try:
            connection.exec_driver_sql("SELECT pg_advisory_lock(%s, %s)", LOCK)
        except Exception as error:
            if isinstance(getattr(error, "orig", None), psycopg.errors.LockNotAvailable):
                raise DatabaseInUse(f"Another shop uses {self._name}.") from None
            raise
        self._session = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        _set(connection, "lock_timeout", f"{self._milliseconds}ms")
        connection.commit()


def _engine(url: URL) -> Engine:
    arguments: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": LOST_SECONDS * 1000,
        "keepalives_idle": LOST_SECONDS,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)


def _drop(connection: Connection) -> None:
    """Disconnect without a word to a server that may not listen."""
    connection.invalidate()
    connection.close()


def _set(connection: Connection, name: str, value: str) -> None:
    connection.exec_driver_sql("SELECT set_config(%s, %s, false)", (name, value))
