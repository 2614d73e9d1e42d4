"""The SQL of a commit: which rows it has to write, and statements compiled once for each table.

Rule: rows are written as plain tuples, many by one statement. That is a third of the cost of
SQLAlchemy's own execution with parameters, which matters thousands of times a second; and a driver
releases the GIL at each statement, and has to wait for it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, and_, bindparam, column, delete, select
from sqlalchemy import table as new_table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg

from cafe.ledger.department import Drop, Entry, Put, Row
from cafe.ledger.tables import events

last_event = select(events).order_by(events.c.position.desc()).limit(1)
POSITIONAL: dict[str, Any] = {
    "sqlite": partial(sqlite.dialect, paramstyle="qmark"),
    "postgresql": partial(psycopg.dialect, paramstyle="numeric_dollar"),
}
"""Factories of the dialects with parameters by position, as the servers have them."""
MOST_ROWS = 64
"""Rows in one statement, at most. All counts are powers of two, so that few are compiled."""


Execute = Callable[[str, Any], object]
"""Runs a statement with a row of parameters, or with each row of a list."""


def executing(connection: Connection) -> Execute:
    """Return a function that runs these statements in the transaction of a connection.

    A raw cursor of psycopg passes `$1` on as it is. For `%s` psycopg splits each statement at its
    parameters, in Python and every time: more than half of the cost of a commit.
    """
    if connection.dialect.name != "postgresql":
        return connection.exec_driver_sql
    from psycopg import RawCursor  # noqa: PLC0415 - a driver is 9 MB, and SQLite needs none of it

    driver: Any = connection.connection.driver_connection
    cursor = RawCursor(driver)

    def execute(sql: str, parameters: Row | list[Row]) -> None:
        statement = sql.encode()  # type checkers accept a str only as a literal
        if isinstance(parameters, list):
            cursor.executemany(statement, parameters)
        else:
            cursor.execute(statement, parameters)

    return execute


def puts(dialect: str, into: Table, rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """Yield statements that insert or replace rows of `into`, each with its parameters."""
    first = 0
    while first < len(rows):
        number = min(MOST_ROWS, 1 << (len(rows) - first).bit_length() - 1)
        chunk = rows[first : first + number]
        first += number
        yield upsert(dialect, into, number), tuple(chain.from_iterable(chunk))


@cache
def upsert(dialect: str, into: Table, rows: int) -> str:
    """Return the SQL that inserts or replaces `rows` rows of `into`."""
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    names = [one.name for one in into.c]
    columns = new_table(into.name, *(column(one.name, one.type) for one in into.c))
    values: list[dict[str, Any]] = [
        {name: bindparam(f"{name}_{number}") for name in names} for number in range(rows)
    ]
    statement = insert(columns).values(values)
    if into is events:  # an event is written once: a second insert is an error
        return _compiled(dialect, statement)
    keys = [one.name for one in into.primary_key.columns]
    changing = [one.name for one in into.c if one.name not in keys and not is_constant(one)]
    if not changing:
        return _compiled(dialect, statement.on_conflict_do_nothing(index_elements=keys))
    new = {name: statement.excluded[name] for name in changing}
    return _compiled(dialect, statement.on_conflict_do_update(index_elements=keys, set_=new))


@cache
def deletion(dialect: str, of: Table) -> str:
    """Return the SQL that deletes the row of `of` with a given primary key."""
    keys = [one == bindparam(one.name) for one in of.primary_key.columns]
    return _compiled(dialect, delete(of).where(and_(*keys)))


def _compiled(dialect: str, statement: Any) -> str:
    return str(statement.compile(dialect=POSITIONAL[dialect]()))


def is_constant(of: Any) -> bool:
    """Return whether a column keeps the value with which its row was inserted."""
    return bool(of.info.get("constant"))


_Rows = list[tuple[Table, list[Row]]]


class Latest(NamedTuple):
    """The last change of each row, by table; referred tables come first."""

    puts: _Rows
    drops: _Rows
    """Keys of deleted rows."""
    replaced: _Rows
    """Keys that are dropped and then put: a Put alone would keep the old row's constants."""


def latest(entries: Iterable[Entry]) -> Latest:
    """Return the last change of each row: the state when the transaction ends."""
    last: dict[tuple[Table, Row], Put | Drop] = {}
    replaced: dict[Table, list[Row]] = {}
    for _event, changes in entries:
        for change in changes:
            table = change.table
            at = table, change.key if isinstance(change, Drop) else key_of(table)(change.row)
            before = last.pop(at, None)
            if isinstance(before, Drop) and isinstance(change, Put):
                replaced.setdefault(table, []).append(before.key)
            last[at] = change
    puts: dict[Table, list[Row]] = {}
    drops: dict[Table, list[Row]] = {}
    for (table, key), change in last.items():
        if isinstance(change, Put):
            puts.setdefault(table, []).append(change.row)
        else:
            drops.setdefault(table, []).append(key)
    return Latest(
        *(sorted(rows.items(), key=lambda item: rank(item[0])) for rows in (puts, drops, replaced))
    )


@cache
def key_of(table: Table) -> Callable[[Row], Row]:
    """Return a function from a row to its primary key."""
    columns = list(table.c)
    first, *more = [columns.index(one) for one in table.primary_key.columns]
    return itemgetter(first, *more) if more else itemgetter(slice(first, first + 1))


@cache
def rank(table: Table) -> int:
    """Return a number that is greater than those of the tables that this one refers to."""
    return table.metadata.sorted_tables.index(table)
