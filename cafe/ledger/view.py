"""The read-only view of a ledger, for desks and routes: queries, and its log of events.

Rule: a protocol only. The process that owns the database has `Ledger`; a front has
`FollowingLedger`, which asks and follows the owner.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from cafe.ledger.department import Logged
from cafe.ledger.ledger import LedgerStatistics
from cafe.ledger.log import PAGE
from cafe.ledger.reader import Query

T = TypeVar("T")


class LedgerView(Protocol):
    """A ledger for callers that write nothing to it."""

    def now(self) -> float:
        """Return the time, in seconds since the Unix epoch."""
        ...

    async def read(self, query: Query[T]) -> T:
        """Return the result of a query of the committed rows; raises LedgerUnavailable."""
        ...

    def listen(self, callback: Callable[[Sequence[Logged]], None]) -> None:
        """Call back with the events of each later commit; the callback must not block or raise."""
        ...

    def follow(
        self, after: int, most: int = PAGE
    ) -> AbstractAsyncContextManager[AsyncGenerator[Sequence[Logged]]]:
        """Yield the events after a position, in batches of at most `most`, without end."""
        ...

    def statistics(self) -> LedgerStatistics:
        """Return the ledger's counts and the position of its last event."""
        ...
