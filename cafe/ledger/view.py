"""What desks and routes need of a ledger: to look, and to follow its log.

Rule: a protocol only. The process that owns the database has `Ledger`; one without a database has
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
    """A ledger for those that write nothing to it."""

    def now(self) -> float:
        """Return the time, in seconds since the Unix epoch."""
        ...

    async def read(self, query: Query[T]) -> T:
        """Return what a query finds among the committed rows; raises LedgerUnavailable."""
        ...

    def listen(self, callback: Callable[[Sequence[Logged]], None]) -> None:
        """Call back with what each later commit adds; the callback must not wait and not raise."""
        ...

    def follow(
        self, after: int, most: int = PAGE
    ) -> AbstractAsyncContextManager[AsyncGenerator[Sequence[Logged]]]:
        """Yield the events after a position, in batches of at most so many, without end."""
        ...

    def statistics(self) -> LedgerStatistics:
        """Return how much was written; `position` is that of the last event."""
        ...
