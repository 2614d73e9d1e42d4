"""The reader: look-ups in the database, beside the commits and never behind them.

Rule: an asker waits for an answer, not for a thread, so it can be cancelled at any time. All that
is asked while the thread is busy is answered in its next pass, in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

import outcome
import trio
from sqlalchemy import Connection

from cafe.ledger.errors import DatabaseGone, LedgerUnavailable, NotRecorded, RowRefused
from cafe.ledger.runners import Runner
from cafe.ledger.store import Storing

T = TypeVar("T")
Query = Callable[[Connection], T]
MOST_IN_PASS = 200
TRIES = 2
"""Of a pass: the first may use a connection that broke when the server was restarted."""
MOST_UNANSWERED = 2
"""Queries of a pass that may each wait for a time-out; then the others of it are refused at once.

One time-out may be a query that takes too long; with two, the database is away.
"""


class Wanted(Generic[T]):
    """One look-up, and the event that its asker waits for."""

    __slots__ = ("done", "found", "query")

    def __init__(self, query: Query[T]) -> None:
        self.query = query
        self.done = trio.Event()
        self.found: outcome.Outcome[T] | None = None


class Reader:
    """Answers look-ups in a task of its own."""

    def __init__(self, store: Storing, runner: Runner) -> None:
        self._store = store
        self._runner = runner
        self._wanted: list[Wanted[Any]] = []
        self._bell = trio.Event()
        self._batch: list[Wanted[Any]] = []
        """What the thread looks up now."""
        self._given_up = False

    def give_up(self) -> None:
        """Refuse every look-up, from now on: on shutdown, when none can wait longer."""
        self._given_up = True
        for wanted in (*self._batch, *self._wanted):
            wanted.found = outcome.Error(LedgerUnavailable())
            wanted.done.set()
        self._wanted.clear()

    async def read(self, query: Query[T]) -> T:
        """Return what a query finds among the committed rows.

        Raises LedgerUnavailable while the database cannot be read.
        """
        if self._given_up:
            raise LedgerUnavailable
        wanted = Wanted(query)
        self._wanted.append(wanted)
        self._bell.set()
        try:
            await wanted.done.wait()
        except trio.Cancelled:
            if wanted in self._wanted:
                self._wanted.remove(wanted)
            raise
        assert wanted.found is not None  # noqa: S101 - set before the event
        return wanted.found.unwrap()

    async def run(self) -> None:
        """Answer look-ups, until cancelled."""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            while self._wanted:
                batch, self._wanted = self._wanted[:MOST_IN_PASS], self._wanted[MOST_IN_PASS:]
                self._batch = batch
                found = await self._runner.run(partial(self._look_up, [one.query for one in batch]))
                for wanted, result in zip(batch, found, strict=True):
                    if not wanted.done.is_set():
                        wanted.found = result
                        wanted.done.set()

    def _look_up(self, queries: list[Query[Any]], tries: int = TRIES) -> list[outcome.Outcome[Any]]:
        """Run queries in one transaction; in one each, if one of them fails."""
        for _ in range(tries):
            try:
                return self._store.read(
                    lambda connection: [outcome.Value(one(connection)) for one in queries]
                )
            except DatabaseGone:
                pass
            except Exception as error:  # noqa: BLE001 - of any kind: it is raised in its asker
                if len(queries) == 1:
                    return [outcome.Error(_refusal(error))]
                break
        if len(queries) == 1:
            return [outcome.Error(LedgerUnavailable())]
        return self._look_up_apart(queries)

    def _look_up_apart(self, queries: list[Query[Any]]) -> list[outcome.Outcome[Any]]:
        found: list[outcome.Outcome[Any]] = []
        for one in queries:
            if _unanswered(found) < MOST_UNANSWERED:
                found += self._look_up([one], tries=1)
            else:
                found.append(outcome.Error(LedgerUnavailable()))
        return found


def _unanswered(found: list[outcome.Outcome[Any]]) -> int:
    return sum(
        isinstance(one, outcome.Error) and isinstance(one.error, LedgerUnavailable) for one in found
    )


def _refusal(error: Exception) -> Exception:
    if isinstance(error, RowRefused):
        return NotRecorded(error.reason)
    return error
