"""The reader: queries on the database, in parallel with the commits and never waiting for them.

Rule: an asker waits for an answer, not for a thread, so it can be cancelled at any time. All
queries that come while the thread is busy are run in its next pass, in one transaction.
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
"""Attempts of a pass: the first may use a connection that broke when the server restarted."""
MOST_UNANSWERED = 2
"""Queries of a pass that may each run into a time-out; after that the rest are refused at once.

One time-out may be a query that takes too long; with two, the database is away.
"""


class Pending(Generic[T]):
    """One query, and the event that its asker waits for."""

    __slots__ = ("done", "found", "query")

    def __init__(self, query: Query[T]) -> None:
        self.query = query
        self.done = trio.Event()
        self.found: outcome.Outcome[T] | None = None


class Reader:
    """Runs queries in a task of its own."""

    def __init__(self, store: Storing, runner: Runner) -> None:
        self._store = store
        self._runner = runner
        self._pending: list[Pending[Any]] = []
        self._bell = trio.Event()
        self._batch: list[Pending[Any]] = []
        """The queries of the pass that the thread runs now."""
        self._given_up = False

    def give_up(self) -> None:
        """Refuse every query from now on: on shutdown, when none can wait longer."""
        self._given_up = True
        for pending in (*self._batch, *self._pending):
            pending.found = outcome.Error(LedgerUnavailable())
            pending.done.set()
        self._pending.clear()

    async def read(self, query: Query[T]) -> T:
        """Return the result of a query on the committed rows.

        Raises LedgerUnavailable while the database cannot be read.
        """
        if self._given_up:
            raise LedgerUnavailable
        pending = Pending(query)
        self._pending.append(pending)
        self._bell.set()
        try:
            await pending.done.wait()
        except trio.Cancelled:
            if pending in self._pending:
                self._pending.remove(pending)
            raise
        assert pending.found is not None  # noqa: S101 - set before the event
        return pending.found.unwrap()

    async def run(self) -> None:
        """Run queries, until cancelled."""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            while self._pending:
                batch, self._pending = self._pending[:MOST_IN_PASS], self._pending[MOST_IN_PASS:]
                self._batch = batch
                found = await self._runner.run(partial(self._look_up, [one.query for one in batch]))
                for pending, result in zip(batch, found, strict=True):
                    if not pending.done.is_set():
                        pending.found = result
                        pending.done.set()

    def _look_up(self, queries: list[Query[Any]], tries: int = TRIES) -> list[outcome.Outcome[Any]]:
        """Run queries in one transaction or, if one fails, in one each; return the outcomes."""
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
