"""The ledger on PostgreSQL.

Rule: the process whose writing connection holds the advisory lock owns the ledger, and a writing
connection takes the lock before it writes anything, or loads a department's rows. The reader's
connection takes no lock, and cannot write. Several shops share a database, each with its own schema
and lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any

import psycopg
from sqlalchemy import URL, Connection

from cafe.ledger.database import secrets_of
from cafe.ledger.errors import (
    DatabaseGone,
    DatabaseInUse,
    WrongDatabaseError,
    translate,
    translating,
)
from cafe.ledger.postgresql_connection import LOST_SECONDS, Connector, driver_of, drop, is_pooled
from cafe.ledger.postgresql_fence import APPLICATION, HEARTBEAT_SECONDS, POLL_SECONDS, Fence
from cafe.ledger.shops import lock_of, schema_of, shop_of, without_shop
from cafe.ledger.standby import Standby
from cafe.ledger.tables import is_current, migrate, refuse_behind

LOCK_SECONDS = 0.3
"""The time-out for the lock: a server releases a dead client's within milliseconds."""
ANSWER_SECONDS = 35.0
"""The writer's time-out for an answer: longer than the server's own for a statement."""
READING_ANSWER_SECONDS = 5.0
"""The reader's time-out for an answer, so that an asker is refused soon.

The server's own time-out for a statement is shorter, and leaves the connection usable.
"""
PROBE_SECONDS = 2.0
"""The time-out for an answer in the second session, which is opened only behind a pooler."""
SESSION = "FROM pg_stat_activity WHERE pid = %s::int AND backend_start = %s::timestamptz"
SETTINGS = {
    "application_name": "cafe",
    "default_transaction_isolation": "read committed",
    "idle_in_transaction_session_timeout": "10s",
    # So that a machine that is down does not own the database for hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": f"{LOST_SECONDS}s",
}
OWNER_SETTINGS = {
    "application_name": APPLICATION,
    # Without a standby, or with one that may not see the session: longer than FENCE_SECONDS.
    "idle_session_timeout": "10s",
}
"""The settings of an owner that sends heartbeats."""
HEAD_START_SECONDS = 1.0
"""How long a standby whose connection broke leaves the lock to the former owner.

If the server was restarted, the owner has lost its connection too, and goes on with its memory.
"""
RECONNECT_SECONDS = 0.5
"""The time between a standby's attempts to reconnect."""
STATEMENT_SHARE = 6 / 7
"""The server's time-out for a statement, as a share of the time-out for an answer.

35 s make 30 s, so that a start can read what its departments need.
"""


class PostgresDatabase:
    """One database of a server, owned by the process that holds its advisory lock."""

    shares_connection = False

    def __init__(
        self,
        url: URL,
        *,
        busy_seconds: float,
        standby: Standby | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        reading_answer_seconds: float = READING_ANSWER_SECONDS,
    ) -> None:
        """Store the address; `connect` connects to it.

        With a `standby` the first connection waits for the lock while another process holds it.
        """
        self.secrets = secrets_of(url)
        self.term = 0
        self.heartbeat_seconds = None if standby is None else HEARTBEAT_SECONDS
        self._standby = standby
        shop, url = shop_of(url), without_shop(url)
        self._schema = schema_of(shop)
        self._key = lock_of(shop)
        self._writing = Connector(url, answer_seconds)
        self._reading = Connector(url, reading_answer_seconds)
        self._probing = Connector(url, PROBE_SECONDS)
        self._name = self._writing.name + ("" if shop is None else f", shop {shop}")
        self._lock_timeout = _milliseconds(busy_seconds)
        self._writing_settings = {
            "statement_timeout": _milliseconds(answer_seconds * STATEMENT_SHARE),
            **({} if standby is None else OWNER_SETTINGS),
        }
        self._reading_settings = {
            "statement_timeout": _milliseconds(reading_answer_seconds * STATEMENT_SHARE),
            "default_transaction_read_only": "on",
        }
        self._session: tuple[Any, ...] = (None, None)

    def connect(self) -> Connection:
        """Connect, take the lock, and check the version of the tables.

        Raises DatabaseInUse, SchemaBehind or NotALedger. Every connection checks again: while there
        was none, another process may have owned the database.
        """
        if self._standby is not None:
            standby, self._standby = self._standby, None
            return self._wait_to_own(standby)
        connection = self._writing.connect()
        try:
            self._set_up(connection, self._writing_settings)
            self._own(connection)
            refuse_behind(connection, self._name)
            connection.commit()
        except BaseException:
            drop(connection)
            raise
        return connection

    def _wait_to_own(self, standby: Standby) -> Connection:
        """Return a connection that has the lock; waits while another process has it.

        Raises as `connect` does, but DatabaseInUse only if the wait was cancelled.
        """
        standby.begin(self._writing.abort)
        head_start = 0.0
        while True:
            try:
                return self._wait_on_one_connection(standby, head_start)
            except Exception as error:
                if not standby.waits or not isinstance(translate(error), DatabaseGone):
                    raise
            head_start = HEAD_START_SECONDS
            standby.pause(RECONNECT_SECONDS)

    def _wait_on_one_connection(self, standby: Standby, head_start: float) -> Connection:
        connection = self._connect_to_wait()
        try:
            fence, not_before = Fence(self._key), monotonic() + head_start
            while monotonic() < not_before or not self._took_lock(connection):
                looked_at = monotonic()
                fence.look(driver_of(connection))
                # Less the round trip, so that a slow one does not delay the fence.
                standby.pause(max(0.0, looked_at + POLL_SECONDS - monotonic()))
        except BaseException:
            drop(connection)
            raise
        return connection

    def _connect_to_wait(self) -> Connection:
        connection = self._writing.connect()
        try:
            self._set_up(connection, self._writing_settings)
            refuse_behind(connection, self._name)
            connection.commit()
            # One round trip for each look, and no transaction open in between.
            driver_of(connection).autocommit = True
        except BaseException:
            drop(connection)
            raise
        return connection

    def _took_lock(self, connection: Connection) -> bool:
        """Take the lock if it is free, and check the tables again, which may have been migrated."""
        driver = driver_of(connection)
        row = driver.execute("SELECT pg_try_advisory_lock(%s, %s)", self._key).fetchone()
        if row != (True,):
            return False
        driver.autocommit = False
        self._remember(connection)
        refuse_behind(connection, self._name)
        connection.commit()
        return True

    def connect_reader(self) -> Connection:
        """Connect for reading only, beside the owner; raises SchemaBehind or NotALedger."""
        connection = self._reading.connect()
        try:
            self._set_up(connection, self._reading_settings)
            refuse_behind(connection, self._name)
            connection.commit()
            # Each statement sees what was committed before it, in a transaction or not; beginning
            # and ending one are two more round trips, with a wait for the GIL after each.
            connection.execution_options(isolation_level="AUTOCOMMIT")
        except BaseException:
            drop(connection)
            raise
        return connection

    def begin(self, connection: Connection, *, writing: bool) -> None:  # noqa: ARG002 - the protocol's
        """Begin a transaction if there is none; the driver sends it with the first statement."""
        if not connection.in_transaction():
            connection.begin()

    def abort(self, *, reading: bool) -> None:
        """Shut the connection down, so that no thread waits for the server."""
        (self._reading if reading else self._writing).abort()

    def tidy(self, connection: Connection) -> None:
        """Do nothing: the server does that itself."""

    def close(self) -> None:
        """Do nothing: the server released the lock with the connection."""

    def upgrade(self) -> None:
        """Make or migrate the tables; raises DatabaseInUse if a shop owns the database."""
        with translating(self.secrets):
            connection = self._writing.connect()
            try:
                self._set_up(connection, self._writing_settings)
                self._own(connection)
                self._make_schema(connection)
                if not is_current(connection, self._name):
                    _set(connection, "statement_timeout", "0")
                    driver_of(connection).answer_seconds = None
                    migrate(connection)
                    connection.commit()
            finally:
                drop(connection)

    def _set_up(self, connection: Connection, settings: Mapping[str, str]) -> None:
        # First: settings and locks made through such a pooler stay there, and affect its others.
        if is_pooled(connection, self._probing):
            raise WrongDatabaseError(
                f"A connection pooler gives each transaction another session of {self._name}: "
                "name the server itself, or let the pooler pool sessions."
            )
        for name, value in {**SETTINGS, **settings}.items():
            _set(connection, name, value)
        if self._schema is not None:
            _set(connection, "search_path", self._schema)
        # Whatever the server's default, a commit is on disk when it returns.
        connection.exec_driver_sql(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()

    def _own(self, connection: Connection) -> None:
        """Take the lock; end this process's former session if the server still has it."""
        _set(connection, "lock_timeout", _milliseconds(LOCK_SECONDS))
        # Identified by its start, too: a process id is reused, and may be another shop's.
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {SESSION}", self._session)
        try:
            connection.exec_driver_sql("SELECT pg_advisory_lock(%s, %s)", self._key)
        except Exception as error:
            if not isinstance(getattr(error, "orig", None), psycopg.errors.LockNotAvailable):
                raise
            connection.rollback()
            if self._has_former_session(connection):
                raise DatabaseGone(f"{self._name} still ends this shop's former session.") from None
            raise DatabaseInUse(f"Another shop uses {self._name}.") from None
        self._remember(connection)
        connection.commit()

    def _remember(self, connection: Connection) -> None:
        """Store the session that has the lock, and its term; set its lock time-out."""
        *session, self.term = connection.exec_driver_sql(
            "SELECT pid, backend_start, txid_current()"
            " FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        ).one()
        self._session = tuple(session)
        _set(connection, "lock_timeout", self._lock_timeout)

    def _make_schema(self, connection: Connection) -> None:
        # Only if it is missing: a role with more rights may have made it.
        if (
            self._schema is not None
            and not connection.exec_driver_sql(
                "SELECT to_regnamespace(%s) IS NOT NULL", (self._schema,)
            ).scalar_one()
        ):
            connection.exec_driver_sql(f"CREATE SCHEMA {self._schema}")

    def _has_former_session(self, connection: Connection) -> bool:
        rows = connection.exec_driver_sql(f"SELECT pid {SESSION}", self._session)
        return rows.first() is not None


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


def _set(connection: Connection, name: str, value: str) -> None:
    """Set a parameter of the session; do nothing if the server is too old to have it."""
    connection.exec_driver_sql(
        "SELECT set_config(%s, %s, false) WHERE current_setting(%s, true) IS NOT NULL",
        (name, value, name),
    )
