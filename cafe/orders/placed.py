"""What a page of baskets' orders is asked by.

Rule: plain values. The queries name it in their annotations, and import no HTTP with it.
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
    """Only those of this account."""
    statuses: tuple[Status, ...] = ()
    """Only those that stand so; all, if none is given."""
    behind: int | None = None
    """The page begins behind this ticket number."""
    most: int = MOST_PLACED
