"""The database that a URL names: how it is opened, and a connection that is renewed.

Rule: a transaction ends before `transaction` is left: it is committed or rolled back. If it cannot
be rolled back the connection is closed, which rolls it back too. No message about a URL contains
what may be a password. Only the module of the database that the URL names is imported: a driver is
9 MB.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Protocol

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError

from cafe.ledger.errors import DatabaseGone, LedgerError, WrongDatabaseError, translate
from cafe.ledger.shops import refuse_wrong_shop, shop_of
from cafe.ledger.standby import Standby

FORMS = "sqlite:///FILE, sqlite:// or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
POSTGRESQL = "postgresql+psycopg"
SECRET_OPTIONS = ("password", "sslpassword")
ABORTED = "The transaction was aborted."
TIDY_SECONDS = 10.0
"""The minimum time between two attempts to free disk space."""


def parse_address(address: str) -> URL:
    """Return the parsed URL of a database; raises WrongDatabaseError, which does not quote it."""
    try:
        url = make_url(address)
    except Exception:  # noqa: BLE001 - any, and its text may hold half a password
        raise WrongDatabaseError(f"The database URL cannot be read; it is {FORMS}.") from None
    refuse_wrong_shop(url)
    if url.drivername == "sqlite":
        if url.host is not None or url.query:
            raise WrongDatabaseError(f"The database URL cannot be read; it is {FORMS}.")
    elif url.drivername != POSTGRESQL:
        raise WrongDatabaseError(
            f"No ledger can be kept at {url.drivername}://; a database is {FORMS}."
        )
    return url


def is_in_memory(url: URL) -> bool:
    """Return whether a database is lost with its process."""
    return url.drivername == "sqlite" and url.database in {None, "", ":memory:"}


def is_new(url: URL) -> bool:
    """Return whether a database is a file that does not exist yet."""
    is_file = url.drivername == "sqlite" and not is_in_memory(url)
    return is_file and not Path(str(url.database)).exists()


def secrets_of(url: URL) -> tuple[str, ...]:
    """Return the parts of a URL that no text may quote; a password may be in the query, too."""
    words = (url.password, *(url.query.get(option) for option in SECRET_OPTIONS))
    return tuple(str(word) for word in words if word)


def shown_address(address: str) -> str:
    """Return a database's address for people: a file by its absolute path, a server without login.

    A file that does not exist yet is marked as new. No part may be a password: if an @ of one is
    not percent-encoded, its end is parsed as the host or the name.
    """
    url = parse_address(address)
    if is_in_memory(url):
        return "in memory: it is lost with the process"
    if url.drivername == "sqlite":
        file = Path(str(url.database)).absolute()
        return f"sqlite:///{file}{' (new)' if is_new(url) else ''}"
    host = ",".join(url.normalized_query.get("host", ())) if url.host is None else url.host
    port = "" if url.port is None else f":{url.port}"
    where = f"{host}{port}/{url.database or ''}"
    shop = shop_of(url)
    named = "" if shop is None else f" (shop {shop})"
    return f"{url.drivername}://{'...' if '@' in where else where}{named}"


class Database(Protocol):
    """What differs between SQLite and PostgreSQL."""

    @property
    def secrets(self) -> Iterable[str]:
        """Texts that must not appear in any error."""
        ...

    @property
    def shares_connection(self) -> bool:
        """Whether `connect_reader` is impossible: the reader uses the writer's connection."""
        ...

    @property
    def term(self) -> int:
        """The number of this ownership; see `Store.term`."""
        ...

    @property
    def heartbeat_seconds(self) -> float | None:
        """How often the owner has to run a statement to stay the owner; None if it need not."""
        ...

    def connect(self) -> Connection:
        """Connect as the only owner, with every time-out set.

        Raises DatabaseInUse if there is another; else what the driver raises.
        """
        ...

    def connect_reader(self) -> Connection:
        """Connect a second time, only to read: every write on it is refused by the database.

        It sees what was committed before each of its statements (PostgreSQL) or transactions
        (SQLite) began. Raises SchemaBehind, NotALedger, or what the driver raises.
        """
        ...

    def upgrade(self) -> None:
        """Migrate the tables to this program's version; raises the ledger's errors only."""
        ...

    def begin(self, connection: Connection, *, writing: bool) -> None:
        """Begin a transaction; one that writes excludes others from writing."""
        ...

    def tidy(self, connection: Connection) -> None:
        """Free disk space between two transactions of the writer, without waiting.

        Cheap if there is none to free. Raises what the driver raises.
        """
        ...

    def abort(self, *, reading: bool) -> None:
        """Make the statement that the reader or the writer runs now fail soon; from any thread.

        Raises nothing; does nothing if there is no connection.
        """
        ...

    def close(self) -> None:
        """Release the ownership."""
        ...


class Link:
    """Holds a connection to a Database, the writer's or the reader's; any thread may use it."""

    def __init__(
        self, database: Database, *, reading: bool = False, tidy_seconds: float = TIDY_SECONDS
    ) -> None:
        """Connect with the first transaction; by `connect_reader` if `reading`.

        Only the writer's link releases the ownership when it is closed.
        """
        self._database = database
        self._reading = reading
        self._lock = Lock()
        self._connection: Connection | None = None
        self._closed = False
        self._aborted = False
        self._tidy_at, self._tidy_seconds = 0.0, tidy_seconds
        self.generation = 0
        """Counts connections: between two of them another process may have written."""

    @property
    def secrets(self) -> Iterable[str]:
        """Texts that must not appear in any error."""
        return self._database.secrets

    @property
    def term(self) -> int:
        """The number of this ownership; see `Store.term`."""
        return self._database.term

    @property
    def heartbeat_seconds(self) -> float | None:
        """How often the owner has to run a statement; None if it need not."""
        return self._database.heartbeat_seconds

    @contextmanager
    def transaction(self, *, writing: bool) -> Generator[Connection]:
        """Run the block in one transaction; connect before that if there is no connection.

        One at a time: another thread waits for its end. Raises DatabaseGone, NotALedger or
        DatabaseInUse for a fault of the database, and RowRefused for one of a statement; the
        reader's raises SchemaBehind too.
        """
        with self._lock:
            self._aborted = False
            try:
                connection = self._connection or self._connect()
                self._database.begin(connection, writing=writing)
                yield connection
                if self._aborted:
                    raise DatabaseGone(ABORTED)  # noqa: TRY301 - to be rolled back
                connection.commit()
            except BaseException as error:
                self._roll_back()
                translated = translate(error, self._database.secrets)
                if translated is None:
                    raise
                raise translated from error
            if writing and monotonic() >= self._tidy_at:
                self._tidy()

    def abort(self) -> None:
        """End the transaction that another thread runs: it soon raises DatabaseGone there.

        Does nothing if there is none; later ones are not affected. A commit that was under way may
        have succeeded. If the thread still connects, its time-out has to end first.
        """
        if self._lock.locked():
            self._aborted = True
            self._database.abort(reading=self._reading)

    def tidy(self) -> None:
        """Free disk space that is not needed, as transactions that write do.

        Call it now and then while nothing is written. Raises nothing; does nothing if there is no
        connection.
        """
        with self._lock:
            if monotonic() >= self._tidy_at:
                self._tidy()

    def close(self) -> None:
        """Disconnect, and release the ownership; waits for a transaction to end.

        Repeating it does nothing.
        """
        with self._lock:
            if not self._closed:
                self._closed = True
                self._disconnect()
                if not self._reading:
                    self._database.close()

    def _connect(self) -> Connection:
        if self._closed:
            raise LedgerError("The ledger is closed.")
        connect = self._database.connect_reader if self._reading else self._database.connect
        self._connection = connect()
        self.generation += 1
        if self._aborted:  # meanwhile
            raise DatabaseGone(ABORTED)
        return self._connection

    def _tidy(self) -> None:
        if self._connection is None:
            return
        self._tidy_at = monotonic() + self._tidy_seconds
        try:
            self._database.tidy(self._connection)
        except DBAPIError:
            # What was committed stays committed, and the next transaction finds the fault.
            self._roll_back()

    def _roll_back(self) -> None:
        connection = self._connection
        if connection is None:
            return
        if connection.invalidated:
            # SQLAlchemy would reconnect by itself, without the lock.
            self._disconnect()
            return
        try:
            connection.rollback()
            # A commit that failed has ended SQLAlchemy's transaction, but perhaps not the driver's.
            connection.connection.rollback()
        except Exception:  # noqa: BLE001 - of any kind: the connection may be broken
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.invalidate()
            with suppress(Exception):
                self._connection.close()
            self._connection = None


def open_database(
    url: str, *, busy_seconds: float = 2.0, standby: Standby | None = None
) -> Database:
    """Return the database at `url`. A SQLite file is owned from now on, and made or migrated.

    `busy_seconds` bounds the wait for a lock that another program holds. With a `standby` (on
    PostgreSQL only) the first connection waits while another process owns the ledger. Raises
    NotALedger, DatabaseInUse, DatabaseGone, or WrongDatabaseError for a URL that names no ledger.
    """
    address = parse_address(url)
    if address.drivername == POSTGRESQL:
        from cafe.ledger.postgresql import PostgresDatabase  # noqa: PLC0415 - see the rule

        return PostgresDatabase(address, busy_seconds=busy_seconds, standby=standby)
    if standby is not None:
        raise WrongDatabaseError(
            "No process can stand by for a ledger on SQLite: keep it in PostgreSQL."
        )
    if is_in_memory(address):
        from cafe.ledger.sqlite import MemoryDatabase  # noqa: PLC0415

        return MemoryDatabase()
    from cafe.ledger.sqlite import FileDatabase  # noqa: PLC0415

    return FileDatabase(Path(str(address.database)), busy_seconds=busy_seconds)


def waits_for_server(url: str) -> bool:
    """Return whether the database is on a server, which may start after the shop."""
    return parse_address(url).drivername == POSTGRESQL


def open_links(database: Database) -> tuple[Link, Link]:
    """Return the writer's link and the reader's; the same one twice if they share a connection.

    Neither has connected yet. Close the reader's first: the writer's releases the ownership.
    """
    writer = Link(database)
    return writer, writer if database.shares_connection else Link(database, reading=True)


def upgrade(url: str, *, busy_seconds: float = 2.0) -> None:
    """Migrate the tables of the ledger at `url` to this program's version; raises as above."""
    database = open_database(url, busy_seconds=busy_seconds)
    try:
        database.upgrade()
    finally:
        database.close()
