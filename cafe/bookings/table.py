"""The tables of the house: what can be booked, and whether it is open for booking.

Rule: pure. The table of transitions below *is* the state machine. A table is never deleted: its
bookings name it. Its number never changes: guests know it.

    open --close--> closed --open--> open
    open, closed --change--> the same
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import Final, NamedTuple


class TableType(StrEnum):
    """What kind of table it is."""

    REGULAR = "regular"
    CABIN = "cabin"
    ROOM = "room"


class TableStatus(StrEnum):
    """Whether it can be booked."""

    OPEN = "open"
    CLOSED = "closed"


class TableAction(StrEnum):
    """What can happen to a table."""

    ADD = "add"
    """The first action of each table; TRANSITIONS has no row for it."""
    CHANGE = "change"
    CLOSE = "close"
    OPEN = "open"


TRANSITIONS: Final[dict[tuple[TableStatus, TableAction], TableStatus]] = {
    (TableStatus.OPEN, TableAction.CHANGE): TableStatus.OPEN,
    (TableStatus.CLOSED, TableAction.CHANGE): TableStatus.CLOSED,
    (TableStatus.OPEN, TableAction.CLOSE): TableStatus.CLOSED,
    (TableStatus.CLOSED, TableAction.OPEN): TableStatus.OPEN,
}


class DiningTable(NamedTuple):
    """A table of the house. Its fields are the columns of its row."""

    table_id: str
    number: int
    """The number that guests know; unique."""
    type: TableType
    seats: int
    price_cents: int
    """The price of a booking; it is shown, and not charged."""
    status: TableStatus = TableStatus.OPEN

    def __str__(self) -> str:
        """Return it in words."""
        seats = "1 seat" if self.seats == 1 else f"{self.seats} seats"
        return f"table {self.number} ({self.type}, {seats})"


class TableChange(NamedTuple):
    """One transition that has happened."""

    action: TableAction
    before: TableStatus | None
    table: DiningTable
    """The table after the transition."""


class TableFilter(NamedTuple):
    """A filter for tables."""

    type: TableType | None = None
    """None for any type."""
    seats_min: int = 0
    seats_max: float = inf
    price_min: int = 0
    price_max: float = inf

    def fits(self, table: DiningTable) -> bool:
        """Return whether a table passes the filter."""
        kind, seats_min, seats_max, price_min, price_max = self
        return (
            (kind is None or table.type is kind)
            and seats_min <= table.seats <= seats_max
            and price_min <= table.price_cents <= price_max
        )


def revise(table: DiningTable, after: DiningTable) -> list[TableChange]:
    """Return the transitions from a table to its wanted state; none if they are equal."""
    changes: list[TableChange] = []
    changed = after._replace(status=table.status)
    if changed != table:
        changes.append(TableChange(TableAction.CHANGE, table.status, changed))
    if after.status is not table.status:
        action = TableAction.CLOSE if after.status is TableStatus.CLOSED else TableAction.OPEN
        changes.append(TableChange(action, table.status, after))
    return changes
