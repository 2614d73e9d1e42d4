"""The ledger: one log of events, and the rows of every department, in one database.

Rule: one committer writes and one reader reads, each over a connection of its own; departments see
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
from cafe.ledger.errors import DatabaseGone, LedgerError, LedgerUnavailable, NotRecorded
from cafe.ledger.journal import Journal
from cafe.ledger.log import MOST_AHEAD, OWN, Log, clock_set_right, prune_some, read_page
from cafe.ledger.reader import Query, Reader
from cafe.ledger.store import InLoop, InThread, Runner, Storing

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
    """What the departments and the shop are given; `open_ledger` opens it."""

    def __init__(
        self, store: Storing, clock: Callable[[], float], writing: Runner, reading: Runner
    ) -> None:
        """Keep events in `store`; `clock` tells seconds since the Unix epoch and never jumps."""
        self._store = store
        self._clock = clock
        self._writing = writing
        self._reader = Reader(store, reading)
        self._log = Log(self._read_page)
        self._committer = Committer(store, writing, self._log)
        self._begun = trio.Event()
        self._ahead = 0.0
        self.lost_by: LedgerError | None = None
        """Why nothing more can be written or read by this process, if that is so."""
        self._lost = trio.Event()
        self._given_up = trio.Event()

    def now(self) -> float:
        """Tell the time: never earlier than the last event's, unless that was far in the future."""
        return self._clock() + self._ahead

    async def open(self, department: Department[S]) -> tuple[Journal, S]:
        """Give a department's next journal, and what its actor starts from.

        The journal before it is closed first, and the group under way awaited. Waits for the
        database, however long it is away.
        """
        await self._begun.wait()
        journal = self._committer.open(department.name, chained=department.remembers)
        await self._committer.wait_free()
        return journal, await self._load(department.load)

    async def read(self, query: Query[T], *, behind: Journal | None = None) -> T:
        """Give what a query finds among the committed rows; raises LedgerUnavailable.

        `behind` a journal it waits until all is committed, or refused, that was written there.
        """
        if behind is not None:
            with suppress(NotRecorded):  # its own asker is told
                await behind.wait_settled()
        return await self._reader.read(query)

    def follow(self, after: int) -> AbstractAsyncContextManager[AsyncGenerator[list[Logged]]]:
        """Give the events behind a position, in batches, for ever."""
        return self._log.follow(after)

    def listen(self, callback: Callable[[Sequence[Logged]], None]) -> None:
        """Call back with what each commit adds from now on; it may not wait and may not fail."""
        self._log.listen(callback)

    async def wait_refused(self, department: Department[Any]) -> None:
        """Wait until a row was refused on which others rest: the department has to load again."""
        await self._committer.wait_refused(department.name)

    async def maintain(self, change: Query[T]) -> T:
        """Make a change that is no event, between two commits; raises DatabaseGone."""
        return await self._writing.run(lambda: self._store.maintain(change))

    async def prepare(self, change: Query[T]) -> T:
        """Make a change that is no event, as the shop opens; waits for the database as `open`."""
        return await self._until_there(lambda: self._store.maintain(change))

    async def tidy(self) -> None:
        """Free room in the database that is not needed."""
        await self._writing.run(self._store.tidy)

    async def prune(
        self, department: Department[Any], before: float, followers: Sequence[Department[Any]]
    ) -> int:
        """Delete the subjects that ended before a time, and give how many; raises DatabaseGone.

        What one of `followers` has not followed yet is kept.
        """
        pruned = 0
        while some := await self.maintain(
            lambda connection: prune_some(connection, department, before, followers)
        ):
            pruned += some
        return pruned

    async def ping(self) -> None:
        """Return once the database could be written."""
        await self._committer.ping()

    def give_up(self) -> None:
        """Refuse every reply that waits for a commit, and every look-up, with LedgerUnavailable."""
        self._committer.give_up()
        self._reader.give_up()
        self._given_up.set()

    async def wait_given_up(self) -> None:
        """Wait until it is of no use to wait for the database any longer."""
        await self._given_up.wait()

    def statistics(self) -> LedgerStatistics:
        """Tell how much was written."""
        committer = self._committer
        return LedgerStatistics(
            committer.groups, committer.written, committer.uncommitted, self._log.last
        )

    async def wait_written(self) -> None:
        """Wait until everything that was written is committed."""
        await self._committer.wait_written()

    async def wait_lost(self) -> None:
        """Wait until the database is not what it was: another's, or without what was committed."""
        await self._lost.wait()

    async def run(self, lost_seconds: float = 0.0) -> None:
        """Serve until cancelled; raises LedgerError where the database is not what it was.

        Then everybody who waits is refused with LedgerUnavailable, and has `lost_seconds` to leave.
        """
        await self._begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._commit, lost_seconds)
            nursery.start_soon(self._reader.run)

    async def _commit(self, lost_seconds: float) -> None:
        try:
            await self._committer.run()
        except LedgerError as error:
            log.error("lost", detail=str(error))  # noqa: TRY400 - it tells all
            self.lost_by = error
            self.give_up()
            self._lost.set()
            await trio.sleep(lost_seconds)
            raise

    async def _begin(self) -> None:
        last = await self._until_there(self._store.begin)
        if last is not None:
            self._log.begin(last.position)
            ahead = last.event.at - self._clock()
            if ahead > MOST_AHEAD:
                log.warning(
                    "the last event is in the future; the machine's time is used from here on",
                    seconds=round(ahead),
                )
                # In the log: who checks it cannot tell else that the next event is not damaged.
                journal = self._committer.open(OWN.name, chained=OWN.remembers)
                journal.write(clock_set_right(last.position, self._clock()))
            else:
                self._ahead = max(0.0, ahead)
        self._begun.set()

    async def _until_there(self, call: Callable[[], T]) -> T:
        told = False
        while True:
            try:
                return await self._writing.run(call)
            except DatabaseGone as gone:
                if not told:
                    told = True
                    log.error("unavailable", detail=str(gone))  # noqa: TRY400 - it tells all
                await trio.sleep(RETRY_SECONDS)

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
) -> Ledger:
    """Make a ledger, by default with a thread for each connection, but for one in memory."""
    new = InLoop if store.in_memory else InThread
    return Ledger(store, clock, writing or new(), reading or new())


@asynccontextmanager
async def running(
    ledger: Ledger, grace: float, lost_seconds: float = 0.0
) -> AsyncGenerator[Ledger]:
    """Serve a ledger during the block; then write what is left, for at most `grace` seconds.

    Raises LedgerError, when the block has ended or `lost_seconds` later, where the database is not
    what it was.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ledger.run, lost_seconds)
        yield ledger
        with trio.move_on_after(grace):
            await ledger.wait_written()
        nursery.cancel_scope.cancel()
    if ledger.lost_by is not None:
        raise ledger.lost_by
