"""The query for a page of baskets' orders.

Rule: plain values. The SQL queries name it in their annotations, and import no HTTP with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cafe.orders.order import Status

MOST_PLACED = 100
"""Orders of baskets on one page."""


@dataclass(frozen=True, slots=True)
class PlacedQuery:
    """Which orders of baskets to list."""

    account_id: str | None = None
    """Only orders of this account, if given."""
    statuses: tuple[Status, ...] = ()
    """Only orders with these statuses; all, if empty."""
    behind: int | None = None
    """Only orders with lower ticket numbers than this, if given."""
    most: int = MOST_PLACED
