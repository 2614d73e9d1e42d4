"""Connections to a PostgreSQL server on which no thread waits for ever.

Rule: each wait for an answer has a time-out on this side, and another thread can end it. The
server's own time-outs do not help if the server is frozen, nor do TCP's while its machine still
acknowledges packets.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from cafe.ledger.errors import WrongDatabaseError

RV = TypeVar("RV")
CONNECT_SECONDS = 3
LOST_SECONDS = 10
"""TCP ends a connection whose data was not acknowledged for this long."""
LOOKS = 3
"""More than one, since another client may hold the session that would have revealed the pooler."""
ENCODING = "UTF8"
ARGUMENTS = {
    # Whatever the role or the environment has set, a text must be read as it was written.
    "client_encoding": ENCODING,
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": LOST_SECONDS * 1000,
    "keepalives_idle": LOST_SECONDS,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


class TimedConnection(psycopg.Connection[Any]):
    """A connection with a time-out for each answer of the server."""

    answer_seconds: float | None = None
    """The time-out of a wait for an answer; None for none."""
    inode = 0
    """The inode of the socket: after it is closed, its descriptor may be another socket's."""

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer; raises OperationalError after `answer_seconds`."""
        try:
            return super().wait(gen, interval, self.answer_seconds if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:
                # A time-out here, not the server's error: a late answer must not match a statement.
                self.pgconn.finish()
            raise

    def abort(self) -> None:
        """Shut the socket down, from any thread: a wait for an answer then raises an error."""
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self.fileno())) as twin,
        ):
            if os.fstat(twin.fileno()).st_ino == self.inode:
                twin.shutdown(socket.SHUT_RDWR)


class Connector:
    """Connects to one database of a server, one connection at a time."""

    def __init__(self, url: URL, answer_seconds: float) -> None:
        """Store the address, and the time-out for an answer."""
        self.name = f"the database {url.database or url.username} on {url.host or 'this machine'}"
        self._answer_seconds = answer_seconds
        self._driver: TimedConnection | None = None
        self._aborted = False
        self._engine = self._new_engine(url)

    def connect(self) -> Connection:
        """Connect, without any of the session's settings.

        Raises WrongDatabaseError if the encoding of the database cannot store every text.
        """
        self._aborted = False
        return self._engine.connect()

    def abort(self) -> None:
        """End the connection, also one that is being opened; from any thread."""
        self._aborted = True
        if self._driver is not None:
            self._driver.abort()

    def _new_engine(self, url: URL) -> Engine:
        engine = create_engine(
            url, poolclass=NullPool, hide_parameters=True, connect_args=ARGUMENTS
        )
        event.listen(engine, "do_connect", self._connect)
        return engine

    def _connect(
        self, _dialect: Any, _record: Any, arguments: Any, options: Any
    ) -> TimedConnection:
        driver = TimedConnection.connect(*arguments, **options)
        driver.answer_seconds = self._answer_seconds
        driver.inode = os.fstat(driver.fileno()).st_ino
        self._driver = driver
        if self._aborted:
            driver.abort()
        # Before SQLAlchemy's first statements, which fail with an unknown encoding.
        if (encoding := driver.info.parameter_status("server_encoding")) != ENCODING:
            driver.close()
            raise WrongDatabaseError(
                f"{self.name[0].upper()}{self.name[1:]} keeps text as {encoding}, and a ledger "
                f"needs {ENCODING}: createdb --template=template0 --encoding={ENCODING}"
            )
        return driver


def is_pooled(connection: Connection, other: Connector) -> bool:
    """Return whether a connection pooler gives each transaction another session of the server.

    Then no lock and no setting stays with the connection. A pooler reports a process id that is not
    the session's. It may still pool whole sessions, which a second connection shows: then the two
    never have the same session.
    """
    if driver_of(connection).info.backend_pid == _session_of(connection):
        return False
    try:
        second = other.connect()
    except DBAPIError:
        return False  # no session is free, so each connection keeps its own
    try:
        return any(_is_shared(connection, second) for _ in range(LOOKS))
    except DBAPIError:
        return False
    finally:
        drop(second)


def _is_shared(connection: Connection, second: Connection) -> bool:
    session = _session_of(connection)
    return _session_of(second) == session or _session_of(connection) != session


def _session_of(connection: Connection) -> int:
    """Return the process id of the session in which a transaction ran."""
    session = int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
    connection.commit()
    return session


def driver_of(connection: Connection) -> TimedConnection:
    """Return the driver's connection."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, TimedConnection):
        raise TypeError(driver)
    return driver


def drop(connection: Connection) -> None:
    """Disconnect without a message to the server, which may be unresponsive."""
    connection.invalidate()
    connection.close()
