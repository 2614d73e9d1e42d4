"""The SQL of a commit, compiled once for each table and dialect.

Rule: rows go in as plain tuples by `exec_driver_sql`. That is a third of the cost of SQLAlchemy's
own execution with parameters, which matters for what is done thousands of times a second.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect, Table, and_, bindparam, column, delete, select, table
from sqlalchemy.dialects import postgresql, sqlite

from cafe.ledger.tables import events

last_event = select(events).order_by(events.c.position.desc()).limit(1)


class Statements:
    """Compiled statements of one dialect, by table."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._puts: dict[str, str] = {}
        self._drops: dict[str, str] = {}
        self.add_events = self._sql(self._insert(_columns_of(events)))

    def put(self, into: Table) -> str:
        """Give the SQL that inserts or replaces a row of `into`."""
        if into.name not in self._puts:
            self._puts[into.name] = self._sql(self._upsert(into))
        return self._puts[into.name]

    def drop(self, of: Table) -> str:
        """Give the SQL that deletes the row of `of` with a primary key."""
        if of.name not in self._drops:
            keys = [one == bindparam(one.name) for one in of.primary_key.columns]
            self._drops[of.name] = self._sql(delete(of).where(and_(*keys)))
        return self._drops[of.name]

    def _upsert(self, into: Table) -> Any:
        statement = self._insert(_columns_of(into))
        keys = [one.name for one in into.primary_key.columns]
        changing = [
            one.name for one in into.c if one.name not in keys and not one.info.get("constant")
        ]
        if not changing:
            return statement.on_conflict_do_nothing(index_elements=keys)
        return statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in changing}
        )

    def _insert(self, into: Any) -> Any:
        insert: Any = postgresql.insert if self._dialect.name == "postgresql" else sqlite.insert
        return insert(into)

    def _sql(self, statement: Any) -> str:
        positional: Any = type(self._dialect)
        paramstyle = "format" if self._dialect.name == "postgresql" else "qmark"
        return str(statement.compile(dialect=positional(paramstyle=paramstyle)))


def _columns_of(whole: Table) -> Any:
    """Give the table with all its columns, in their order, as a row has its values."""
    return table(whole.name, *(column(one.name, one.type) for one in whole.c))
