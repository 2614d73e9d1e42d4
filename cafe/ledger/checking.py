"""Checks a ledger: every promise, and what is found against it.

Rule: it reads, and gives what it reads; whether that is bad news is for others to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from cafe.ledger.promises import Steps, promises
from cafe.ledger.reading import damages_of


class Finding(NamedTuple):
    """One order, or one event or key, that breaks a promise."""

    what: str
    """Which, as `order 7 (its id)`."""
    details: tuple[tuple[str, Any], ...]
    """What the tables hold of it that cannot be so."""

    def __str__(self) -> str:
        """Say it in a line."""
        said = ", ".join(f"{name} {_shown(name, value)}" for name, value in self.details)
        return f"{self.what}: {said}" if said else self.what


class Promise(NamedTuple):
    """One sentence that holds of every ledger, and what was found against it."""

    sentence: str
    findings: list[Finding]


def check(connection: Connection, steps: Steps) -> Iterator[Promise]:
    """Check promise after promise; `steps` is what may happen to an order."""
    damages = [Finding(line, ()) for line in damages_of(connection)]
    yield Promise("the database's own check of its file finds nothing", damages)
    for sentence, query in promises(steps).items():
        rows = [dict(row) for row in connection.execute(query).mappings()]
        yield Promise(sentence, [_finding(row) for row in sorted(rows, key=_place)])


def _place(row: dict[str, Any]) -> tuple[int, str]:
    """Give by what findings are in order: oldest first."""
    return row.get("sequence") or row.get("number") or 0, row["order_id"]


def _finding(row: dict[str, Any]) -> Finding:
    order_id, number = row.pop("order_id"), row.pop("number", None)
    what = f"order {order_id}" if number is None else f"order {number} ({order_id})"
    return Finding(what, tuple(row.items()))


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "none"
    if name in {"at", "at_before"} or name.endswith("_at"):
        return datetime.fromtimestamp(value).astimezone().isoformat(sep=" ")
    # Keys and names are text of somebody's own: nothing that moves the cursor.
    return "".join(c if c.isprintable() else "\ufffd" for c in str(value))
