"""The ledger's own tables: the log of events, and how far it has been pruned.

Rule: columns only. Departments add their tables to the same metadata, so that one database holds
all of them and one migration makes them; what a status or an action means, they know.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, MetaData, String, Table, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

CONSTANT = {"constant": True}
"""The `info` of a column that never changes once its row is inserted: a Put then skips it."""

events = Table(
    "events",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("department", String(32), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("before", String(32)),
    Column("after", String(32), nullable=False),
    Column("at", Float(53), nullable=False),
    Column("by", Text),
    Column("reason", Text),
    Column("data", Text),
)
Index("ix_events_subject", events.c.subject, events.c.department)

prunings = Table(
    "prunings",
    metadata,
    # One row: up to this position events may have been deleted.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("through", BigInteger, nullable=False),
)
