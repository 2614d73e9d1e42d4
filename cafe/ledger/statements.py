"""The SQL of a commit: which rows it has to write, and statements compiled once for each table.

Rule: rows go in as plain tuples by `exec_driver_sql`, many by one statement. That is a third of the
cost of SQLAlchemy's own execution with parameters, which matters for what is done thousands of
times a second; and a driver releases Python's lock at each statement, and has to wait for it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Table, and_, bindparam, column, delete, select
from sqlalchemy import table as new_table
from sqlalchemy.dialects import postgresql, sqlite

from cafe.ledger.department import Drop, Entry, Put, Row
from cafe.ledger.tables import events

last_event = select(events).order_by(events.c.position.desc()).limit(1)
MOST_ROWS = 64
"""In one statement; a power of two, as all their numbers are, so that few are compiled."""


class Statements:
    """Compiled statements of one dialect, by table."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._puts: dict[tuple[str, int], str] = {}
        self._drops: dict[str, str] = {}

    def puts(self, into: Table, rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
        """Yield statements that insert or replace rows of `into`, each with its parameters."""
        first = 0
        while first < len(rows):
            number = min(MOST_ROWS, 1 << (len(rows) - first).bit_length() - 1)
            chunk = rows[first : first + number]
            first += number
            yield self._put(into, number), tuple(chain.from_iterable(chunk))

    def drop(self, of: Table) -> str:
        """Return the SQL that deletes the row of `of` with a primary key."""
        if of.name not in self._drops:
            keys = [one == bindparam(one.name) for one in of.primary_key.columns]
            self._drops[of.name] = self._sql(delete(of).where(and_(*keys)))
        return self._drops[of.name]

    def _put(self, into: Table, rows: int) -> str:
        key = into.name, rows
        if key not in self._puts:
            self._puts[key] = self._sql(self._upsert(into, rows))
        return self._puts[key]

    def _upsert(self, into: Table, rows: int) -> Any:
        insert: Any = postgresql.insert if self._dialect.name == "postgresql" else sqlite.insert
        names = [one.name for one in into.c]
        columns = new_table(into.name, *(column(one.name, one.type) for one in into.c))
        values: list[dict[str, Any]] = [
            {name: bindparam(f"{name}_{number}") for name in names} for number in range(rows)
        ]
        statement = insert(columns).values(values)
        if into is events:
            return statement  # an event is written once, or something is wrong
        keys = [one.name for one in into.primary_key.columns]
        changing = [one.name for one in into.c if one.name not in keys and not is_constant(one)]
        if not changing:
            return statement.on_conflict_do_nothing(index_elements=keys)
        return statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in changing}
        )

    def _sql(self, statement: Any) -> str:
        positional: Any = type(self._dialect)
        paramstyle = "format" if self._dialect.name == "postgresql" else "qmark"
        return str(statement.compile(dialect=positional(paramstyle=paramstyle)))


def is_constant(of: Any) -> bool:
    """Return whether a column keeps the value with which its row was inserted."""
    return bool(of.info.get("constant"))


_Rows = list[tuple[Table, list[Row]]]
_PLACES: dict[Table, tuple[int, ...]] = {}
"""Of each table, where in a row its primary key is."""
_RANKS: dict[Table, int] = {}
"""Of each table, a number that is greater than those of the tables that it refers to."""


class Latest(NamedTuple):
    """The rows that changes leave, by table; referred tables come first."""

    puts: _Rows
    drops: _Rows
    """Keys."""
    replaced: _Rows
    """Keys that are dropped and then put: a Put alone would keep the old row's constants."""


def latest(entries: Iterable[Entry]) -> Latest:
    """Return the last change of each row: only that is left when the transaction ends."""
    last: dict[tuple[Table, Row], Put | Drop] = {}
    replaced: dict[Table, list[Row]] = {}
    for _event, changes in entries:
        for change in changes:
            at = change.table, _key(change)
            before = last.pop(at, None)
            if isinstance(before, Drop) and isinstance(change, Put):
                replaced.setdefault(change.table, []).append(before.key)
            last[at] = change
    puts: dict[Table, list[Row]] = {}
    drops: dict[Table, list[Row]] = {}
    for (table, key), change in last.items():
        if isinstance(change, Put):
            puts.setdefault(table, []).append(change.row)
        else:
            drops.setdefault(table, []).append(key)
    return Latest(*(sorted(rows.items(), key=_rank) for rows in (puts, drops, replaced)))


def _key(change: Put | Drop) -> Row:
    if isinstance(change, Drop):
        return change.key
    places = _PLACES.get(change.table)
    if places is None:
        columns = list(change.table.c)
        places = tuple(columns.index(one) for one in change.table.primary_key.columns)
        _PLACES[change.table] = places
    row = change.row
    return (row[places[0]],) if len(places) == 1 else tuple(row[place] for place in places)


def _rank(item: tuple[Table, list[Row]]) -> int:
    table = item[0]
    if table not in _RANKS:
        _RANKS.update({one: rank for rank, one in enumerate(table.metadata.sorted_tables)})
    return _RANKS[table]
