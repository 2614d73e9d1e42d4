"""The log as followers see it: every committed event, in the order of its position.

Rule: a follower is never waited for. What was committed lately is in memory; a follower that is
further behind reads pages from the database, and one that is up to date waits for the next commit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

import trio
from sqlalchemy import Connection, select

from cafe.ledger.department import Event, Logged
from cafe.ledger.tables import events

MOST_RECENT = 10_000
PAGE = 1_000

ReadPage = Callable[[int], Awaitable[list[Logged]]]
"""Gives the next page of events behind a position."""


class Log:
    """The newest events, and the way to the older ones."""

    def __init__(self, read_page: ReadPage, most: int = MOST_RECENT) -> None:
        self.last = 0
        """The position of the last committed event."""
        self._read_page = read_page
        self._recent: deque[Logged] = deque(maxlen=most)
        self._waiting = trio.lowlevel.ParkingLot()
        self._listeners: list[Callable[[Sequence[Logged]], None]] = []

    def listen(self, callback: Callable[[Sequence[Logged]], None]) -> None:
        """Call back with what each commit adds from now on; it may not wait and may not fail."""
        self._listeners.append(callback)

    def begin(self, last: int) -> None:
        """Go on behind this position."""
        self.last = last

    def add(self, logged: Sequence[Logged]) -> None:
        """Take in what has been committed, and wake the followers."""
        if logged:
            self._recent.extend(logged)
            self.last = logged[-1].position
            for listener in self._listeners:
                listener(logged)
            self._waiting.unpark_all()

    @asynccontextmanager
    async def follow(self, after: int) -> AsyncGenerator[AsyncGenerator[list[Logged]]]:
        """Give the events behind a position, in batches, for ever."""
        async with aclosing(self._batches(after)) as batches:
            yield batches

    async def _batches(self, position: int) -> AsyncGenerator[list[Logged]]:
        while True:
            if position >= self.last:
                await self._waiting.park()
            batch = self._newer_than(position)
            if batch is None:
                batch = await self._read_page(position)
            if batch:
                position = batch[-1].position
                yield batch

    def _newer_than(self, position: int) -> list[Logged] | None:
        """Give what is behind a position, or None where memory does not go back so far."""
        recent = self._recent
        if not recent or recent[0].position > position + 1:
            return None
        behind = self.last - position
        if behind >= len(recent):
            return list(recent)
        return [recent[-one] for one in range(behind, 0, -1)]


def read_page(connection: Connection, after: int) -> list[Logged]:
    """Read the events behind a position, oldest first, at most a page."""
    found = connection.execute(
        select(events).where(events.c.position > after).order_by(events.c.position).limit(PAGE)
    )
    return [Logged(row[0], row[1], Event(*row[2:])) for row in found]
