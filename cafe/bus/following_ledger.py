"""A front's view of the ledger: it follows the house's log, and asks the house for older events.

Rule: nothing is written here, and missed events are always detected. Positions have no gaps; so
a front that was disconnected, or whose house failed over, notices missed events, and then calls
back everything that has to load again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, NoReturn, TypeVar

import structlog
import trio
from sqlalchemy import Table

from cafe.bus.batches import Happened, Heartbeat
from cafe.bus.house_client import HouseClient
from cafe.ledger.department import Drop, Event, Logged, Put
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.ledger import LedgerStatistics
from cafe.ledger.log import PAGE, Log, read_page
from cafe.ledger.reader import Query

T = TypeVar("T")

RETRY_SECONDS: Final = 0.5
"""The time between attempts to load or read."""
MOST_AHEAD: Final = 0.05
"""The seconds by which our time may differ from the house's before it is corrected."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("bus")


class FollowingLedger:
    """A `LedgerView` of the house's ledger."""

    def __init__(
        self, house: HouseClient, clock: Callable[[], float], tables: Iterable[Table]
    ) -> None:
        """Follow nothing until `begin`; `clock` returns seconds since the epoch and never jumps."""
        self._house = house
        self._clock = clock
        self._offset = 0.0
        self._tables = {one.name: one for one in tables}
        self._log = Log(self._read_page)
        self._begun = False
        self._loads: list[Callable[[], Awaitable[None]]] = []
        self._gap = trio.Event()
        self._events = 0
        house.on_heartbeat(self._take)

    def now(self) -> float:
        """Return the house's time, in seconds since the Unix epoch."""
        return self._clock() + self._offset

    async def read(self, query: Query[T]) -> T:
        """Return the result of a query that the house runs; it is sent by its name."""
        return await self._house.read(query)

    def listen(self, callback: Callable[[Sequence[Logged]], None]) -> None:
        """Call back with the events of later commits, except missed ones: see `on_gap`."""
        self._log.listen(callback)

    def follow(
        self, after: int, most: int = PAGE
    ) -> AbstractAsyncContextManager[AsyncGenerator[Sequence[Logged]]]:
        """Yield the events after a position, in batches of at most `most`, without end."""
        return self._log.follow(after, most)

    def statistics(self) -> LedgerStatistics:
        """Return the events received and the last position; the rest is 0."""
        return LedgerStatistics(0, self._events, 0, self._log.last)

    def on_gap(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call `callback` after events were missed; it is retried until it succeeds."""
        self._loads.append(callback)

    async def begin(self) -> None:
        """Wait until the position of the house is known; load what follows the log after this."""
        await self._house.wait_for_house()

    async def run(self) -> NoReturn:
        """Run the callbacks of `on_gap` after missed events; never returns."""
        while True:
            await self._gap.wait()
            self._gap = trio.Event()
            for load in self._loads:
                await self._load(load)

    async def _load(self, load: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await load()
            except Exception:  # of any kind: a copy must not stay wrong
                log.exception("not loaded again; it is retried")
                await trio.sleep(RETRY_SECONDS)

    def _take(self, heartbeat: Heartbeat) -> None:
        offset = heartbeat.now - self._clock()
        if abs(offset - self._offset) > MOST_AHEAD:
            self._offset = offset
        if not self._begun:
            self._begun = True
            self._log.begin(heartbeat.position)
            return
        last = self._log.last
        first = heartbeat.position - len(heartbeat.events) + 1
        if heartbeat.position <= last:
            return
        if first > last + 1:
            log.warning("events missed", behind=last, before=first)
            self._log.skip(first - 1)
            self._gap.set()
        new = heartbeat.events[max(0, self._log.last + 1 - first) :]
        start = heartbeat.position - len(new) + 1
        self._events += len(new)
        self._log.add([self._logged(start + index, one) for index, one in enumerate(new)])

    def _logged(self, position: int, happened: Happened) -> Logged:
        changes = tuple(
            Put(table, tuple(one.values)) if one.is_put else Drop(table, tuple(one.values))
            for one in happened.changes
            # A table that only a newer house knows concerns nothing here.
            if (table := self._tables.get(one.table)) is not None
        )
        return Logged(position, happened.department, Event(*happened.event), changes)

    async def _read_page(self, after: int) -> list[Logged]:
        while True:
            try:
                return await self._house.read(partial(read_page, after=after))
            except LedgerUnavailable:
                await trio.sleep(RETRY_SECONDS)
