"""The committer: writes the entries of all journals to the database, one transaction a group.

Rule: one group at a time, retried until the database commits or refuses it. While a group is
written the next one gathers, so the slower the disk, the larger the groups; a house's also gather
at a pace (`cafe/pace.py`), since fronts are answered in batches anyway. Replies are held until the
entries before them are committed; only then do the followers get the events.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import inf
from operator import itemgetter
from typing import TypeVar

import structlog
import trio

from cafe.ledger.errors import (
    DatabaseGone,
    JournalClosed,
    LedgerError,
    LedgerUnavailable,
    NotRecorded,
    RowRefused,
)
from cafe.ledger.journal import Held, Item, Journal
from cafe.ledger.log import Log
from cafe.ledger.runners import Runner
from cafe.ledger.store import Storing, Unit
from cafe.pace import Pace

T = TypeVar("T")

RETRY_SECONDS = 0.25
"""The time between retries while the database is unavailable."""
MOST_IN_GROUP = 4_000
"""The limit of each journal's units and held replies in a group, which bounds its transaction."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("ledger")


class Committer:
    """Writes the journals' units, group by group, in a task of its own."""

    def __init__(
        self, store: Storing, runner: Runner, events: Log, pace: Pace | None = None
    ) -> None:
        """Write to `store`, at this pace; without a pace a group begins as the last one ends."""
        self.groups = 0
        self.written = 0
        """Events written."""
        self.lost_by: LedgerError | None = None
        """Why nothing can be written any longer; None while it can."""
        self._lost = trio.Event()
        self._store = store
        self._runner = runner
        self._log = events
        self._pace = pace
        self._journals: dict[str, Journal] = {}
        self._idle = trio.lowlevel.ParkingLot()
        """Where `run` waits while there is nothing to write."""
        self._group: list[tuple[Journal, list[Item]]] = []
        """The group that is being written."""
        self._free = trio.Event()
        """Set while no group is gathering or being written."""
        self._free.set()
        self._pings: list[trio.Event] = []
        self._heartbeat = False
        self._broken: set[str] = set()
        self._waiting = trio.lowlevel.ParkingLot()

    @property
    def uncommitted(self) -> int:
        """Return how many units of all journals are not committed."""
        return sum(journal.uncommitted for journal in self._journals.values())

    def open(self, name: str, *, chained: bool) -> Journal:
        """Close a department's journal, if it has one, and return a new one."""
        before = self._journals.get(name)
        if before is not None:
            before.close()
        number = 1 if before is None else before.number + 1
        journal = Journal(name, number, self._idle.unpark_all, chained=chained)
        self._journals[name] = journal
        # The department loads again now, without the refused rows of the former journal.
        self._broken.discard(name)
        return journal

    async def wait_refused(self, name: str) -> None:
        """Wait until a refused row has closed a department's journal, which has to load again."""
        while name not in self._broken:
            await self._waiting.park()
        self._broken.discard(name)

    async def wait_free(self) -> None:
        """Wait until no group is being written, however long the database is away."""
        await self._free.wait()

    async def wait_written(self) -> None:
        """Wait until every unit in the journals is committed or discarded."""
        while self.uncommitted or self._group:
            await self._free.wait()
            await trio.lowlevel.checkpoint()

    async def wait_lost(self) -> LedgerError:
        """Wait until nothing can be written any longer; return why."""
        while self.lost_by is None:
            await self._lost.wait()
        return self.lost_by

    async def ping(self) -> None:
        """Wait until a write to the database has succeeded."""
        done = trio.Event()
        self._pings.append(done)
        self._idle.unpark_all()
        try:
            await done.wait()
        finally:
            if done in self._pings:  # cancelled before a group took it
                self._pings.remove(done)

    def show_life(self) -> None:
        """Run a statement soon, as a heartbeat.

        It writes nothing; if it shows that the ledger has another owner, the ledger is lost.
        """
        self._heartbeat = True
        self._idle.unpark_all()

    async def with_retries(self, call: Callable[[], T]) -> T:
        """Return the result of a call, retried until the database answers; logs an outage."""
        failed_at: float | None = None
        while True:
            try:
                done = await self._runner.run(call)
            except DatabaseGone as gone:
                if failed_at is None:
                    failed_at = trio.current_time()
                    log.error(  # noqa: TRY400 - the sentence is enough
                        "database unavailable", uncommitted=self.uncommitted, detail=str(gone)
                    )
                await trio.sleep(RETRY_SECONDS)
            else:
                if failed_at is not None:
                    seconds = round(trio.current_time() - failed_at, 3)
                    log.info("database available", after_seconds=seconds)
                return done

    def give_up(self) -> None:
        """Refuse every reply that is held for a commit: on shutdown, or when the ledger is lost."""
        refusal = LedgerUnavailable()
        for _journal, items in self._group:
            held = [item for item in items if isinstance(item, Held)]
            items[:] = [item for item in items if isinstance(item, Unit)]
            for item in held:
                item.reply.fail(refusal)
        for journal in self._journals.values():
            journal.give_up(refusal)

    async def run(self) -> None:
        """Commit group after group until cancelled, or until the ledger is lost: see `lost_by`.

        Then every held reply has been refused, later ones are refused, and nothing is written.
        """
        while self.lost_by is None:
            if not (self._pings or self._heartbeat or self._has_gathered()):
                await self._idle.park()
                continue
            self._free = trio.Event()
            try:
                if self._pace is not None:
                    await self._pace.wait()
                taken = [(one, one.take(MOST_IN_GROUP)) for one in self._journals.values()]
                self._group = [(journal, items) for journal, items in taken if items]
                pings, self._pings = self._pings, []
                heartbeat, self._heartbeat = self._heartbeat, False
                if self._group:
                    await self._write()
                elif pings or heartbeat:
                    look = self._store.ping if pings else self._store.heartbeat
                    await self.with_retries(look)
                for ping in pings:
                    ping.set()
            except LedgerError as error:
                self.give_up()
                for journal in self._journals.values():
                    journal.close(LedgerUnavailable())
                self.lost_by = error
                self._lost.set()
            finally:
                self._group = []
                self._free.set()
            # Tasks that this group has woken run first, so that their entries join the next one.
            await trio.lowlevel.checkpoint()

    def _has_gathered(self) -> bool:
        return any(journal.gathered for journal in self._journals.values())

    async def _write(self) -> None:
        units = [item for _, items in self._group for item in items if isinstance(item, Unit)]
        if self._pace is not None:
            self._pace.note(len(units))
        if len(self._group) > 1:
            units = _in_time(self._group)
        committed = await self.with_retries(lambda: self._store.commit(units))
        self.groups += 1
        self.written += len(committed.logged)
        for refusal in committed.refused.values():
            if refusal is not None:
                # A conflict and an invalid value are expected; anything else is a bug.
                level = logging.ERROR if refusal.reason == "internal" else logging.WARNING
                log.log(level, "row refused", reason=refusal.reason, detail=str(refusal))
        if not committed.refused:
            for journal, items in self._group:
                journal.settle(items)
        else:
            refused = {id(units[index]): refusal for index, refusal in committed.refused.items()}
            self._settle_apart(refused)
        self._log.add(committed.logged)

    def _settle_apart(self, refusals: dict[int, RowRefused | None]) -> None:
        """Settle a group with refused units; close journals whose later units depend on them."""
        for journal, items in self._group:
            refusal: RowRefused | None = None
            broken = False
            kept: list[Item] = []
            for item in items:
                if isinstance(item, Unit):
                    refusal = refusals.get(id(item))
                    broken = broken or (id(item) in refusals and item.chained)
                    if not broken:
                        kept.append(item)
                elif refusal is not None and not item.looks:
                    item.reply.fail(NotRecorded(refusal.reason))
                elif broken:
                    item.reply.fail(JournalClosed())
                else:
                    kept.append(item)
            if broken and not journal.closed:
                journal.close()
                self._broken.add(journal.department)
                self._waiting.unpark_all()
            journal.settle(kept)


def _in_time(group: list[tuple[Journal, list[Item]]]) -> list[Unit]:
    """Return a group's units sorted by the time of their events, but each journal's as written.

    So positions follow time across departments, too.
    """
    timed: list[tuple[float, Unit]] = []
    for _journal, items in group:
        at = -inf
        for item in items:
            if isinstance(item, Unit):
                times = (entry.event.at for entry in item.entries if entry.event is not None)
                at = max(at, next(times, at))
                timed.append((at, item))
    timed.sort(key=itemgetter(0))
    return [unit for _at, unit in timed]
