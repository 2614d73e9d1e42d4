"""The migration makes the tables that `tables.py` describes, and the example shop runs it once."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine

from docs.examples.shop import make_tables
from docs.examples.tips.department import TIPS
from docs.examples.tips.tables import metadata

NAMES = {table.name for table in TIPS.tables}


def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    return kind != "table" or name in NAMES


def is_ours_too(_object: Any, name: str | None, kind: str, _is_found: object, _other: Any) -> bool:
    return kind != "table" or name in NAMES


def test_the_migration_makes_the_tables_once() -> None:
    options = {"include_name": is_ours, "include_object": is_ours_too}
    with create_engine("sqlite://", poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert len(compare_metadata(context, metadata)) > len(NAMES)
        for _ in range(2):
            make_tables(connection)
        assert compare_metadata(context, metadata) == []
