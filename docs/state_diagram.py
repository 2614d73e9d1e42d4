"""The diagrams of states in the docs, as rows of Mermaid, made from the tables of transitions.

Rule: a table is the state machine, so nothing is drawn that is not in it. `make docs` puts the
diagrams into their pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cafe.orders.order import BEGINNINGS, TRANSITIONS, Status
from cafe.server.connection import DEADLINES, NEXT, Phase


def an_orders_life() -> list[str]:
    """Return the rows of an order's life."""
    rows = [f"    [*] --> {status}: {action}" for action, status in BEGINNINGS.items()]
    rows += [
        f"    {before} --> {after}: {action}" for (before, action), after in TRANSITIONS.items()
    ]
    return rows + [f"    {last} --> [*]" for last in (Status.DELIVERED, Status.CANCELLED)]


def life_of(table: Mapping[tuple[Any, Any], Any], lasts: Iterable[Any]) -> list[str]:
    """Return the rows of a table of transitions; its first ones are from None, `lasts` may last."""
    rows = [
        f"    {before or '[*]'} --> {after}: {action}" for (before, action), after in table.items()
    ]
    return rows + [f"    {last} --> [*]" for last in lasts]


def a_connections_phases() -> list[str]:
    """Return the rows of a connection's phases, each with its time-out."""
    rows = [f"    [*] --> {Phase.HANDSHAKE.name}: accepted"]
    rows += [
        f"    {before.name} --> {after.name}: {event.name.lower()}"
        for (before, event), after in NEXT.items()
    ]
    rows.append(f"    {Phase.LINGERING.name} --> [*]")
    return rows + [f"    {phase.name}: {phase.name}\\n{key}" for phase, key in DEADLINES.items()]
