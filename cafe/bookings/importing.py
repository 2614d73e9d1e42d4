"""The import of tables.

Rule: the book decides, as it does for a manager who adds one table after the other.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from cafe.bookings.book import Book, NumberTakenError
from cafe.bookings.desk import new_id
from cafe.bookings.queries import load
from cafe.bookings.table import DiningTable, TableStatus, TableType
from cafe.bookings.tables import entry_of_table
from cafe.ledger.department import Entry
from cafe.ledger.importing import WHO, Times, WrongRecordError


class WantedTable(NamedTuple):
    """A table to import."""

    number: int | None
    """None for one more than the last."""
    type: TableType
    seats: int
    price_cents: int
    status: TableStatus


class TablesImport:
    """Makes the entries of imported tables, beside the stored ones."""

    def __init__(self, connection: Connection, times: Times) -> None:
        """Read the stored tables."""
        self._book = Book(load(connection, times.now).tables)
        self._times = times

    def add(self, wanted: WantedTable) -> list[Entry]:
        """Return the entries of a new table; raises WrongRecordError."""
        number, kind, seats, price_cents, status = wanted
        number = self._book.next_number() if number is None else number
        table = DiningTable(new_id(), number, kind, seats, price_cents, status)
        try:
            changes = self._book.add(table)
        except NumberTakenError:
            raise WrongRecordError("Another table has this number.", "id") from None
        return [entry_of_table(one, self._times.now, WHO) for one in changes]
