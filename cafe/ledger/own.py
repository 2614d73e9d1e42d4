"""The ledger's own events: what happens to it, and to no department.

Rule: filed under a name that no department may have.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from cafe.ledger.department import Department, Entry, Event
from cafe.ledger.tables import events


def _load_nothing(_connection: Connection) -> None:
    return None


OWN = Department(
    "ledger",
    tables=(),
    load=_load_nothing,
    transitions={(None, "set right"): "right"},
    remembers=False,
)


def clock_set_right(position: int, at: float) -> Entry:
    """Say that the clock was ahead at this position, and is no more: times go on from `at`."""
    return Entry(Event(f"clock {position}", "set right", None, "right", at))


def was_set_right_behind(position: Any) -> Any:
    """Tell, in SQL, whether the clock was set right behind a position."""
    ours = events.alias()
    return (
        select(ours.c.position)
        .where(ours.c.department == OWN.name, ours.c.position > position)
        .exists()
    )
