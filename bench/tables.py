"""`GET /tables` among a thousand tables and a hundred thousand bookings.

The peer is the same café with a hundredth of the tables; each table has a hundred bookings on both
sides. Tables and bookings are written by plain SQL, into the tables that the café itself has made.
Of a table's bookings sixty are past; forty are to come, one every other day, half of them accepted
and half requested. A guest looks for a table at a time for which half of all tables are booked.

Both sides answer with the same number of tables. The first page has four of many that fit, so the
search ends early. The only table of its type is the last by number, so the search passes all.

The figure is the server's processor time, to which other work on the machine adds nothing. The
minimum of the rounds is compared, because noise only adds to it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import Any, Final, NamedTuple

import httpx

from bench.ledger import make_ledger
from bench.processes import BenchmarkError, Server, cafe, serving
from bench.report import Row, Scale, at_most, progress

MOST = 2.0
EACH = 100
"""Bookings of a table."""
FEW = 10
"""Tables of the peer."""
PAST, COMING = 60, 40
PAGE = 4
LOOKS = 400
"""Of one round."""
OPTIONS = ("--limit-requests", "1000000")
DAY, HOUR = 86_400, 3_600

# Of ten tables, eight are regular ones; the last of all is the only room.
TABLES: Final = """
INSERT INTO dining_tables (table_id, number, type, seats, price_cents, status)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :tables)
SELECT printf('table-%08d', n), n,
    CASE WHEN n = :tables THEN 'room' WHEN n % 10 IN (0, 9) THEN 'cabin' ELSE 'regular' END,
    2 + n % 7, 100 * (n % 20), 'open'
FROM numbers
"""
# Booking `b` of a table: the past ones end with the one before :midnight, and those that come are
# `day` days behind it. Each lasts two hours of an evening.
BOOKINGS: Final = """
INSERT INTO bookings (booking_id, table_id, table_number, status, starts_at, ends_at, party, phone,
    name, asked_at, changed_at)
WITH RECURSIVE
    places(b) AS (SELECT 0 UNION ALL SELECT b + 1 FROM places WHERE b < :each - 1),
    days AS (SELECT b, CASE WHEN b < :past THEN b - :past ELSE 1 + 2 * (b - :past) END AS day
        FROM places),
    evenings AS (SELECT *, :midnight + day * 86400.0 + (18 + (number + b) % 3) * 3600.0 AS starts_at
        FROM dining_tables, days)
SELECT printf('booking-%06d-%03d', number, b), table_id, number,
    CASE WHEN (number + b) % 2 = 0 THEN 'accepted' WHEN b < :past THEN 'declined'
        ELSE 'requested' END,
    starts_at, starts_at + 7200.0, 2, '+49 30 1234567', 'Ada', :at, :at
FROM evenings
"""
LAST: Final = "(SELECT coalesce(max(position), 0) FROM events)"
# Each statement gives the events of one step of all.
EVENTS: Final = (
    f"""
INSERT INTO events (position, department, subject, action, after, at)
SELECT {LAST} + number, 'bookings', table_id, 'add', status, :at FROM dining_tables
""",  # noqa: S608 - our own text
    f"""
INSERT INTO events (position, department, subject, action, after, at)
SELECT {LAST} + row_number() OVER (ORDER BY booking_id), 'bookings', booking_id, 'request',
    'requested', :at
FROM bookings
""",  # noqa: S608 - as above
    f"""
INSERT INTO events (position, department, subject, action, before, after, at)
SELECT {LAST} + row_number() OVER (ORDER BY booking_id), 'bookings', booking_id,
    CASE status WHEN 'accepted' THEN 'accept' ELSE 'decline' END, 'requested', status, :at
FROM bookings WHERE status <> 'requested'
""",  # noqa: S608 - as above
)
# Those who follow the log from its beginning have done so: none of this concerns them.
FOLLOWED: Final = tuple(
    f"INSERT INTO {table} (id, position) VALUES (1, {LAST})"  # noqa: S608 - as above
    for table in ("payments_followed", "deliveries_followed")
)


class Figures(NamedTuple):
    """The figures of one café in a round, or the minima of all: microseconds for a request."""

    page: float
    rare: float


class House:
    """A café with tables, and a guest who looks for one."""

    def __init__(self, server: Server, guest: httpx.Client, midnight: float) -> None:
        self._server = server
        self._guest = guest
        self._midnight = midnight
        self._numbers = count()

    def look(self) -> Figures:
        """Look for tables, both ways."""
        page = {"type": "regular", "seats_min": 2, "seats_max": 8, "price_max": 2_000}
        rare = {"type": "room"}
        return Figures(
            self._cost({**page, "limit": PAGE}, PAGE), self._cost({**rare, "limit": PAGE}, 1)
        )

    def _cost(self, wanted: Mapping[str, Any], found: int) -> float:
        """Return the microseconds of processor time of a search that finds this many tables."""
        self._server.settle()
        before = self._server.processor_seconds()
        for _, number in zip(range(LOOKS), self._numbers, strict=False):
            # A day on which tables of odd numbers are booked; the room's is even, and it is free.
            day = 1 + 2 * (2 * number % COMING + 1)
            evening = self._midnight + day * DAY + 19 * HOUR
            times = {"from": text_of(evening), "to": text_of(evening + 2 * HOUR)}
            response = self._guest.get("/tables", params={**wanted, **times})
            response.raise_for_status()
            if len(response.json()["tables"]) != found:
                raise BenchmarkError(f"not {found} tables: {response.text}")
        return (self._server.processor_seconds() - before) / LOOKS * 1e6


def text_of(at: float) -> str:
    """Return a time in the café's format."""
    return datetime.fromtimestamp(at, UTC).isoformat()


def next_midnight() -> float:
    """Return when the next day begins in UTC, from which a house's bookings are counted."""
    return (time() // DAY + 1) * DAY


def write_tables(file: Path, tables: int, midnight: float) -> None:
    """Write this many tables, a hundred bookings of each, and their events."""
    values = {
        "tables": tables,
        "each": EACH,
        "past": PAST,
        "midnight": midnight,
        "at": midnight - (PAST + 2) * DAY,
    }
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA synchronous=OFF")  # this file need not survive a crash
        for statement in (TABLES, BOOKINGS, *EVENTS, *FOLLOWED):
            connection.execute(statement, values)


@contextmanager
def house(folder: str, tables: int) -> Generator[House]:
    """Start a café with this many tables."""
    file, midnight = Path(folder, f"{tables}.db"), next_midnight()
    url = make_ledger(file)
    write_tables(file, tables, midnight)
    progress(f"tables: {tables:,} with {tables * EACH:,} bookings are in a file")
    with (
        serving((*cafe(url), *OPTIONS)) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.client_port}", timeout=60) as guest,
    ):
        yield House(server, guest, midnight)


def measure(scale: Scale) -> list[Row]:
    """Measure both in turn, round after round."""
    tables = scale.bookings // EACH
    with (
        TemporaryDirectory() as folder,
        house(folder, tables) as large,
        house(folder, FEW) as small,
    ):
        seen: dict[House, list[Figures]] = {large: [], small: []}
        for number in range(scale.rounds):
            for one in list(seen)[:: -1 if number % 2 else 1]:
                seen[one].append(one.look())
            progress(f"tables, round {number + 1}: {seen[large][-1]}, {seen[small][-1]}")
    many, few = (Figures(*map(min, zip(*seen[one], strict=True))) for one in (large, small))
    return [
        Row(
            f"processor time of GET /tables{what}, {tables:,} tables",
            f"{cost:.0f} us",
            f"{peer_cost:.0f} us",
            f"the café with {FEW}",
            cost / peer_cost,
            *at_most(MOST, cost / peer_cost),
        )
        for what, cost, peer_cost in (
            ("", many.page, few.page),
            (" for the only one of its type", many.rare, few.rare),
        )
    ]
