"""Reads and checks a ledger from another process, while a shop may run: one snapshot of it.

Rule: nothing is created or changed, whatever the address names. If it cannot be read, the error is
one sentence, without a password. A check yields its findings; the caller decides what they mean.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    NullPool,
    and_,
    create_engine,
    func,
    inspect,
    not_,
    or_,
    select,
    text,
)
from sqlalchemy.engine import URL

from cafe.ledger.database import parse_address, secrets_of
from cafe.ledger.department import Department
from cafe.ledger.errors import NotALedger, translating
from cafe.ledger.log import MOST_AHEAD, OWN
from cafe.ledger.shops import schema_of, shop_of, without_shop
from cafe.ledger.sqlite_file import connect_to_file, existing_file
from cafe.ledger.tables import (
    VERSION_TABLE,
    events,
    is_current,
    metadata,
    prunings,
    refuse_behind,
    version_in,
)

_CONNECT_SECONDS = 5


def named(url: URL) -> str:
    """Return a database's name without its secrets: a password may be in the query, too."""
    if url.drivername == "sqlite":
        return url.database or "memory"
    shop = shop_of(url)
    name = url.set(query={}).render_as_string(hide_password=True)
    return name if shop is None else f"{name} (shop {shop})"


@contextmanager
def open_reader(address: str) -> Generator[Connection]:
    """Yield a connection that reads the ledger as it was at one moment.

    Raises WrongDatabaseError, NotALedger, SchemaBehind or DatabaseGone.
    """
    url = parse_address(address)
    with _connected(url) as connection:
        refuse_behind(connection, named(url))
        yield connection


def version_of(address: str) -> str | None:
    """Return the version of a ledger's tables, None if there are none yet.

    Raises WrongDatabaseError, NotALedger or DatabaseGone.
    """
    url = parse_address(address)
    with _connected(url) as connection:
        is_current(connection, named(url))
        return version_in(connection)


@contextmanager
def _connected(url: URL) -> Generator[Connection]:
    engine = _engine(url)
    with translating(secrets_of(url)), engine.connect() as connection:
        if url.drivername == "sqlite":
            connection.exec_driver_sql("BEGIN")
        elif (schema := schema_of(shop_of(url))) is not None:
            connection.exec_driver_sql("SELECT set_config('search_path', %s, false)", (schema,))
        _refuse_others(connection, named(url))
        yield connection


def _refuse_others(connection: Connection, database: str) -> None:
    tables = set(inspect(connection).get_table_names())
    if tables and tables.isdisjoint({*metadata.tables, VERSION_TABLE}):
        raise NotALedger(f"{database} is a database of another program.")


def damages_of(connection: Connection) -> list[str]:
    """Return the damages that the database's own check finds in its file; none on PostgreSQL."""
    if connection.dialect.name != "sqlite":
        return []
    lines = connection.execute(text("PRAGMA integrity_check(20)")).scalars()
    return [line for line in lines if line != "ok"]


def _engine(url: URL) -> Engine:
    if url.drivername == "sqlite":
        path = existing_file(url)
        return create_engine("sqlite://", creator=lambda: connect_to_file(path), poolclass=NullPool)
    return create_engine(
        without_shop(url),
        poolclass=NullPool,
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "cafe, reading",
            "client_encoding": "UTF8",
        },
    )


_event = events.c


class Finding(NamedTuple):
    """A subject, or one event of it, that breaks a promise."""

    what: str
    """Its department, its number if it has one, and its id."""
    details: tuple[tuple[str, Any], ...]
    """The values in the tables that break it."""

    def __str__(self) -> str:
        """Return it as text; escape it to print it: ids, keys and names come from clients."""
        details = ", ".join(f"{name} {_shown(name, value)}" for name, value in self.details)
        return f"{self.what}: {details}" if details else self.what


class Promise(NamedTuple):
    """One sentence that holds for every undamaged ledger, and the findings against it."""

    sentence: str
    findings: list[Finding]


def check(connection: Connection, departments: Iterable[Department[Any]]) -> Iterator[Promise]:
    """Check one promise after the other; yield each with its findings."""
    departments = list(departments)
    damages = [Finding(line, ()) for line in damages_of(connection)]
    yield Promise("the database's own check of its file finds nothing", damages)
    for sentence, query in generic_checks(departments).items():
        yield Promise(sentence, _found(connection, "", query))
    for department in departments:
        for sentence, query in department.checks.items():
            yield Promise(sentence, _found(connection, department.name, query))


def generic_checks(departments: Iterable[Department[Any]]) -> dict[str, Executable]:
    """Return the promises about every department's events, each with a query for violations."""
    return {
        "events have the positions 1, 2, 3 and so on": _gaps(),
        "no event is earlier than the one before it, unless the clock was set right": _times(),
        "every event is a step that its department allows": _forbidden_steps(departments),
        "every event goes on from where the one before it ended": _broken_sequences(),
    }


def _gaps() -> Executable:
    pruned = func.coalesce(select(prunings.c.through).scalar_subquery(), 0)
    before = func.lag(_event.position).over(order_by=_event.position)
    columns = (_event.department, _event.subject, _event.position)
    numbered = select(*columns, func.coalesce(before, 0).label("after")).subquery()
    return select(numbered).where(
        numbered.c.position != numbered.c.after + 1, numbered.c.position > pruned + 1
    )


def _times() -> Executable:
    before = func.lag(_event.at).over(order_by=_event.position)
    columns = (_event.department, _event.subject, _event.position, _event.at)
    timed = select(*columns, before.label("at_before")).subquery()
    earlier = and_(timed.c.at < timed.c.at_before, timed.c.at > timed.c.at_before - MOST_AHEAD)
    return select(timed).where(earlier)


def _forbidden_steps(departments: Iterable[Department[Any]]) -> Executable:
    # A NULL equals nothing in SQL, so it would never be found.
    before = func.coalesce(_event.before, "")
    allowed = [
        and_(
            _event.department == one.name,
            before == (status or ""),
            _event.action == action,
            _event.after == after,
        )
        for one in (OWN, *departments)
        for (status, action), after in one.transitions.items()
    ]
    columns = (_event.department, _event.subject, _event.position)
    steps = (_event.before, _event.action, _event.after)
    return select(*columns, *steps).where(not_(or_(*allowed)))


def _broken_sequences() -> Executable:
    subject = (_event.department, _event.subject)
    ended = func.lag(_event.after).over(partition_by=subject, order_by=_event.position)
    columns = (*subject, _event.position, _event.before)
    paired = select(*columns, ended.label("and the one before")).subquery()
    differs = paired.c.before.is_distinct_from(paired.c["and the one before"])
    return select(paired).where(differs)


def _found(connection: Connection, department: str, query: Executable) -> list[Finding]:
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return [_finding(department, row) for row in sorted(rows, key=_sort_key)]


def _sort_key(row: dict[str, Any]) -> tuple[int, str]:
    """Return the key by which findings are sorted: oldest first."""
    return row.get("position") or row.get("number") or 0, str(row["subject"])


def _finding(department: str, row: dict[str, Any]) -> Finding:
    name = row.pop("department", department)
    subject, number = row.pop("subject"), row.pop("number", None)
    what = f"{name} {subject}" if number is None else f"{name} {number} ({subject})"
    return Finding(what, tuple(row.items()))


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "none"
    if name in {"at", "at_before"} or name.endswith("_at"):
        # A number that is not a time is shown as it is: it may be the damage.
        with suppress(TypeError, ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(value).astimezone().isoformat(sep=" ")
    return str(value)
