"""The ledger: one log of events, and the rows of every department, in one database.

Rule: one committer writes and one reader reads, each over a connection of its own. Departments use
journals, queries and the log, never the database.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
import trio

from cafe.ledger.committer import RETRY_SECONDS, Committer
from cafe.ledger.department import Department, Logged
from cafe.ledger.errors import LedgerError, LedgerUnavailable, NotRecorded
from cafe.ledger.journal import Journal, closed_journal
from cafe.ledger.log import MOST_AHEAD, OWN, PAGE, Log, clock_set_right, prune_some, read_page
from cafe.ledger.reader import Query, Reader
from cafe.ledger.runners import InLoop, InThread, Runner
from cafe.ledger.store import Storing
from cafe.pace import Pace

S = TypeVar("S")
T = TypeVar("T")
log: structlog.stdlib.BoundLogger = structlog.get_logger("ledger")


@dataclass(frozen=True, slots=True)
class LedgerStatistics:
    """What the ledger has done since it was opened; a group is one transaction."""

    groups: int
    events: int
    uncommitted: int
    position: int


class Ledger:
    """The ledger as the departments and the shop use it; `new_ledger` makes it."""

    def __init__(
        self,
        store: Storing,
        clock: Callable[[], float],
        writing: Runner,
        reading: Runner,
        pace: Pace | None = None,
    ) -> None:
        """Keep events in `store`; `clock` returns seconds since the Unix epoch and never jumps."""
        self._store = store
        self._clock = clock
        self._writing = writing
        self._reader = Reader(store, reading)
        self._log = Log(self._read_page)
        self._committer = Committer(store, writing, self._log, pace)
        self._begun = trio.Event()
        self._ahead = 0.0
        self._lost = trio.Event()
        self._given_up = trio.Event()

    def now(self) -> float:
        """Return the time: not before the last event's, unless that was far in the future."""
        return self._clock() + self._ahead

    @property
    def lost_by(self) -> LedgerError | None:
        """Why this process can no longer read and write; None while it can."""
        return self._committer.lost_by

    async def open(self, department: Department[S]) -> tuple[Journal, S]:
        """Return a department's next journal, and the state that its actor starts from.

        First closes the department's former journal, and waits until the group that is being
        written is committed. Retries for as long as the database is away.
        """
        await self._begun.wait()
        journal = self._committer.open(department.name, chained=department.remembers)
        await self._committer.wait_free()
        return journal, await self._load(department.load)

    async def open_until_given_up(self, department: Department[S], empty: S) -> tuple[Journal, S]:
        """As `open`; returns a closed journal and `empty` if the ledger gives up before that.

        An actor that has loaded nothing still answers: its journal refuses every reply.
        """
        opened = closed_journal(department.name), empty
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_when_given_up, nursery.cancel_scope)
            opened = await self.open(department)
            nursery.cancel_scope.cancel()
        return opened

    async def read(self, query: Query[T], *, behind: Journal | None = None) -> T:
        """Return the result of a query on the committed rows; raises LedgerUnavailable.

        With `behind` it first waits until all units of that journal are committed or refused.
        """
        if behind is not None:
            with suppress(NotRecorded):  # its own asker gets that
                await behind.wait_settled()
        return await self._reader.read(query)

    def follow(
        self, after: int, most: int = PAGE
    ) -> AbstractAsyncContextManager[AsyncGenerator[Sequence[Logged]]]:
        """Yield the events after a position, in batches of at most `most`, without end."""
        return self._log.follow(after, most)

    def listen(self, callback: Callable[[Sequence[Logged]], None]) -> None:
        """Call `callback` with the events of each later commit; it must not wait or raise."""
        self._log.listen(callback)

    async def wait_refused(self, department: Department[Any]) -> None:
        """Return when a row was refused on which later ones rest: the department has to reload."""
        await self._committer.wait_refused(department.name)

    async def maintain(self, change: Query[T]) -> T:
        """Make a change that is no event, between two commits; raises DatabaseGone."""
        return await self._writing.run(lambda: self._store.maintain(change))

    async def prepare(self, change: Query[T]) -> T:
        """Make a change that is no event, while the shop opens; retries as `open` does."""
        return await self._committer.with_retries(lambda: self._store.maintain(change))

    async def tidy(self) -> None:
        """Free disk space that the database does not need."""
        await self._writing.run(self._store.tidy)

    async def prune(
        self, department: Department[Any], before: float, followers: Sequence[Department[Any]]
    ) -> int:
        """Delete the subjects that ended before a time, and return how many; raises DatabaseGone.

        Subjects with events that one of `followers` has not followed yet are kept.
        """
        pruned = 0
        while some := await self.maintain(
            lambda connection: prune_some(connection, department, before, followers)
        ):
            pruned += some
        return pruned

    async def ping(self) -> None:
        """Return once a write to the database has succeeded."""
        await self._committer.ping()

    def give_up(self) -> None:
        """Fail every held reply, and every query from now on, with LedgerUnavailable."""
        self._committer.give_up()
        self._reader.give_up()
        self._given_up.set()

    def statistics(self) -> LedgerStatistics:
        """Return the counts of what was written."""
        committer = self._committer
        return LedgerStatistics(
            committer.groups, committer.written, committer.uncommitted, self._log.last
        )

    async def wait_written(self) -> None:
        """Return when everything that was written is committed."""
        await self._committer.wait_written()

    async def wait_lost(self) -> None:
        """Return when the database has another owner, or lacks commits of this process."""
        await self._lost.wait()

    async def run(self, lost_seconds: float = 0.0) -> None:
        """Serve until cancelled; raises LedgerError when the ledger is lost.

        Then all who wait are refused with LedgerUnavailable, `lost_seconds` before this raises.
        """
        await self._begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._committer.run)
            nursery.start_soon(self._reader.run)
            nursery.start_soon(self._send_heartbeats)
            error = await self._committer.wait_lost()
            log.error("lost", detail=str(error))
            self.give_up()
            self._lost.set()
            await trio.sleep(lost_seconds)
            raise error

    async def _send_heartbeats(self) -> None:
        """Send heartbeats to a standby, at the interval of the store.

        From the event loop: while that hangs nothing is served, and a standby may take over.
        """
        seconds = self._store.heartbeat_seconds
        while seconds is not None:
            self._committer.show_life()
            await trio.sleep(seconds)

    async def _cancel_when_given_up(self, scope: trio.CancelScope) -> None:
        await self._given_up.wait()
        scope.cancel()

    async def _begin(self) -> None:
        last = await self._committer.with_retries(self._store.begin)
        if last is not None:
            self._log.begin(last.position)
            ahead = last.event.at - self._clock()
            if ahead > MOST_AHEAD:
                log.warning(
                    "the last event is in the future; the machine's time is used from here on",
                    seconds=round(ahead),
                )
                # As an event, or a check would report the earlier time of the next one as damage.
                journal = self._committer.open(OWN.name, chained=OWN.remembers)
                journal.write(clock_set_right(last.position, self._clock()))
            else:
                self._ahead = max(0.0, ahead)
        self._begun.set()

    async def _load(self, load: Query[S]) -> S:
        while True:
            try:
                return await self._reader.read(load)
            except LedgerUnavailable:
                await trio.sleep(RETRY_SECONDS)

    async def _read_page(self, after: int) -> list[Logged]:
        return await self._load(lambda connection: read_page(connection, after))


def new_ledger(
    store: Storing,
    clock: Callable[[], float],
    writing: Runner | None = None,
    reading: Runner | None = None,
    *,
    pace: Pace | None = None,
) -> Ledger:
    """Return a ledger, by default with a thread for each connection, except in memory.

    With a `pace` a commit may wait for more units in a rush, if their askers wait for a batch.
    """
    new = InLoop if store.in_memory else InThread
    return Ledger(store, clock, writing or new(), reading or new(), pace)


@asynccontextmanager
async def running(
    ledger: Ledger, grace: float, lost_seconds: float = 0.0
) -> AsyncGenerator[Ledger]:
    """Serve a ledger during the block; then write what is left, for at most `grace` seconds.

    Raises LedgerError if the ledger is lost: when the block ends, or after `lost_seconds`.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ledger.run, lost_seconds)
        yield ledger
        with trio.move_on_after(grace):
            await ledger.wait_written()
        nursery.cancel_scope.cancel()
    if ledger.lost_by is not None:
        raise ledger.lost_by
