"""The store: the calls that run in the database's threads, one that commits and one that reads.

Rule: a commit is one transaction, all of it or nothing, and each event is written once, however
often a commit has to be repeated. The event loop never waits for a disk or a server, and neither
does its end.

Theory of operation. There is one owner, so the store knows the last event that is written, and
reads it again only when it cannot know: after a commit that failed, of which perhaps only the
answer was lost, and after a reconnect. Then the last event is either the one that was known, or the
last one of the commit without an answer. Anything else means that another process has written, or
that the database has lost commits: LedgerChanged, and the shop must not go on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection

from cafe.ledger.database import Link, open_database, open_links
from cafe.ledger.department import Entry, Event, Logged, Put
from cafe.ledger.errors import LedgerChanged, RowRefused, translating
from cafe.ledger.standby import Standby
from cafe.ledger.statements import deletion, executing, last_event, latest, puts, upsert
from cafe.ledger.tables import events

T = TypeVar("T")


NEVER = -1


class Unit(NamedTuple):
    """Entries of one department that are committed together or not at all."""

    department: str
    entries: tuple[Entry, ...]
    chained: bool = True
    """Whether later units of its department are refused with it."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The outcome of a commit, unit by unit."""

    logged: list[Logged]
    refused: dict[int, RowRefused | None] = field(default_factory=dict[int, RowRefused | None])
    """By the unit's index; None if it was refused because of a unit before it."""


class Storing(Protocol):
    """The methods of a store that the committer and the reader use; `Store` implements them."""

    @property
    def in_memory(self) -> bool:
        """Whether no call has to wait for a disk or a server."""
        ...

    @property
    def heartbeat_seconds(self) -> float | None:
        """How often `heartbeat` has to be called; None for never."""
        ...

    def begin(self) -> Logged | None:
        """Return the last event."""
        ...

    def commit(self, units: Sequence[Unit]) -> Committed:
        """Write all units, or those that are not refused."""
        ...

    def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query."""
        ...

    def maintain(self, change: Callable[[Connection], T]) -> T:
        """Make a change that is no event."""
        ...

    def ping(self) -> None:
        """Return if a write succeeds."""
        ...

    def heartbeat(self) -> None:
        """Show that this process is alive."""
        ...

    def tidy(self) -> None:
        """Free disk space that is not needed."""
        ...


class Store:
    """A ledger that is open; `open_store` opens it.

    One thread at a time may call `commit` and `ping`, and another one `read`. All of them raise
    DatabaseGone for what may pass (locked, disk full, disconnected), and DatabaseInUse if
    another shop has taken the database while this one was disconnected.
    """

    def __init__(self, writer: Link, reader: Link) -> None:
        self._writer = writer
        self._reader = reader
        self._last: Logged | None = None
        self._unanswered: Committed | None = None
        self._certain_at = NEVER
        """The connection's generation for which `_last` is known to be the last event."""

    @property
    def in_memory(self) -> bool:
        """Whether no call has to wait for a disk or a server."""
        return self._writer is self._reader

    @property
    def term(self) -> int:
        """The number of this ownership, greater than that of each owner before; 1 on SQLite.

        It also grows when this process takes the lock again on a new connection, since another may
        have owned the ledger in between: read it each time. It is the id of a transaction, so it
        may be lower after a restore to another server.
        """
        return self._writer.term

    @property
    def heartbeat_seconds(self) -> float | None:
        """How often `heartbeat` has to be called, or a standby takes over; None for never."""
        return self._writer.heartbeat_seconds

    def begin(self) -> Logged | None:
        """Return the last event, after which this process writes its own."""
        with self._writer.transaction(writing=False) as connection:
            self._last = _last(connection)
        self._certain_at = self._writer.generation
        return self._last

    def commit(self, units: Sequence[Unit]) -> Committed:
        """Write all units in one transaction, which is durable on return.

        A unit that the database refuses is left out; if it is chained, so are the later units of
        its department. After DatabaseGone call this again with the same units: what was written
        already is not written again.
        """
        try:
            with self._writer.transaction(writing=True) as connection:
                done = None
                if self._certain_at != self._writer.generation:
                    done = self._was_written(connection)
                if done is None:
                    done = self._unanswered = Committed(self._write(connection, units))
        except RowRefused:
            # The transaction was rolled back: nothing of it may count as written.
            self._unanswered = None
            done = self._commit_apart(units)
        except BaseException:
            self._certain_at = NEVER
            raise
        self._last = done.logged[-1] if done.logged else self._last
        self._unanswered = None
        return done

    @contextmanager
    def together(self) -> Generator[Callable[[Sequence[Unit]], None]]:
        """Yield a function that writes units; all of them are durable at the end of the block.

        None is if the block raises, or if the database refuses a row, which raises RowRefused.
        For a long import that has the store for itself: call `begin` before it.
        """
        before = self._last
        try:
            with self._writer.transaction(writing=True) as connection:
                if self._certain_at != self._writer.generation:
                    self._was_written(connection)

                def write(units: Sequence[Unit]) -> None:
                    logged = self._write(connection, units)
                    self._last = logged[-1] if logged else self._last

                yield write
        except BaseException:
            self._last, self._certain_at = before, NEVER
            raise

    def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query in a transaction that only reads."""
        with self._reader.transaction(writing=False) as connection:
            return query(connection)

    def maintain(self, change: Callable[[Connection], T]) -> T:
        """Make a change that is no event, in a transaction of its own."""
        with self._writer.transaction(writing=True) as connection:
            return change(connection)

    def ping(self) -> None:
        """Return if a write succeeds; raises as `commit` does.

        Writes an unchanged row to the disk: only a write notices a full one.
        """
        with self._writer.transaction(writing=True) as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")

    def heartbeat(self) -> None:
        """Show that this process is alive and still owns the ledger; raises as `commit` does."""
        with self._writer.transaction(writing=False) as connection:
            if self._certain_at == self._writer.generation:
                connection.exec_driver_sql("SELECT 1")
            else:
                # Only the check: the retry of an unanswered commit finds out if it was written.
                self._written_in(connection)

    def tidy(self) -> None:
        """Free disk space that the database does not need; raises nothing."""
        self._writer.tidy()

    def abort(self) -> None:
        """Make the calls that the threads run now fail soon; from any thread."""
        self._writer.abort()
        self._reader.abort()

    def close(self) -> None:
        """Disconnect, and release the ownership; repeating it does nothing."""
        if self._reader is not self._writer:
            self._reader.close()
        self._writer.close()

    def _was_written(self, connection: Connection) -> Committed | None:
        """Read the last event; return the unanswered commit if it was written."""
        written = self._written_in(connection)
        self._certain_at = self._writer.generation
        return written

    def _written_in(self, connection: Connection) -> Committed | None:
        found, unanswered = _last(connection), self._unanswered
        if unanswered is not None and unanswered.logged and _same(found, unanswered.logged[-1]):
            return unanswered
        if not _same(found, self._last):
            raise LedgerChanged(self._last.position if self._last else 0)
        return None

    def _write(self, connection: Connection, units: Sequence[Unit]) -> list[Logged]:
        """Write the last state of the rows, with few statements for each table.

        May be refused where one change after the other would not be: if a unique value moves from
        one row to another, for instance.
        """
        execute, dialect = executing(connection), connection.dialect.name
        positions = count(1 + (self._last.position if self._last else 0))
        logged = [
            Logged(next(positions), unit.department, event, changes)
            for unit in units
            for event, changes in unit.entries
            if event is not None
        ]
        last = latest(entry for unit in units for entry in unit.entries)
        new = [(position, department, *event) for position, department, event, _ in logged]
        for table, keys in reversed(last.replaced):
            execute(deletion(dialect, table), keys)
        for table, rows in (*last.puts, (events, new)):
            for sql, parameters in puts(dialect, table, rows):
                execute(sql, parameters)
        for table, keys in reversed(last.drops):
            execute(deletion(dialect, table), keys)
        return logged

    def _commit_apart(self, units: Sequence[Unit]) -> Committed:
        """Write units one after the other, each with a savepoint, to leave out those refused."""
        logged: list[Logged] = []
        refused: dict[int, RowRefused | None] = {}
        ended: set[str] = set()
        try:
            with self._writer.transaction(writing=True) as connection:
                if self._certain_at != self._writer.generation:
                    self._was_written(connection)
                for index, unit in enumerate(units):
                    if unit.department in ended:
                        refused[index] = None
                        continue
                    first = 1 + (self._last.position if self._last else 0) + len(logged)
                    try:
                        logged += self._write_apart(connection, unit, first)
                    except RowRefused as refusal:
                        refused[index] = refusal
                        if unit.chained:
                            ended.add(unit.department)
                self._unanswered = Committed(logged, refused)
        except BaseException:
            self._certain_at = NEVER
            raise
        return self._unanswered

    def _write_apart(self, connection: Connection, unit: Unit, first: int) -> list[Logged]:
        connection.exec_driver_sql("SAVEPOINT unit")
        try:
            with translating(self._writer.secrets):
                logged = _write_in_turn(connection, unit, first)
        except RowRefused:
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT unit")
            connection.exec_driver_sql("RELEASE SAVEPOINT unit")
            raise
        connection.exec_driver_sql("RELEASE SAVEPOINT unit")
        return logged


def _write_in_turn(connection: Connection, unit: Unit, first: int) -> list[Logged]:
    """Write one change after the other, and the events from this position on."""
    execute, dialect = executing(connection), connection.dialect.name
    logged: list[Logged] = []
    for event, changes in unit.entries:
        for change in changes:
            if isinstance(change, Put):
                execute(upsert(dialect, change.table, 1), change.row)
            else:
                execute(deletion(dialect, change.table), change.key)
        if event is not None:
            logged.append(Logged(first + len(logged), unit.department, event, changes))
            row = (logged[-1].position, unit.department, *event)
            execute(upsert(dialect, events, 1), row)
    return logged


def _last(connection: Connection) -> Logged | None:
    row = connection.execute(last_event).first()
    return None if row is None else Logged(row[0], row[1], Event(*row[2:]))


def _same(found: Logged | None, known: Logged | None) -> bool:
    return (found and found[:3]) == (known and known[:3])


def open_store(url: str, *, busy_seconds: float = 2.0, standby: Standby | None = None) -> Store:
    """Own the ledger at `url` and be ready to read and write it.

    Raises as `open_database`, and SchemaBehind (PostgreSQL only). With a `standby` this waits until
    the ledger has no other owner; `heartbeat` has to be called from then on.
    """
    database = open_database(url, busy_seconds=busy_seconds, standby=standby)
    store = Store(*open_links(database))
    try:
        # Connects, and so owns the database, and shows that it can be written.
        store.ping()
        if standby is not None:
            standby.end(store.close)
    except BaseException:
        store.close()
        raise
    return store
