"""THE Ledger: the actor who owns the database.

Rule: what it has answered is on disk. It does one thing at a time, in a thread of its own, and each
handler waits for that, so the mailbox is the queue in front of the disk.

A group is whatever has gathered until it is brought here (`cafe/courier.py`), and one
transaction: while one is written the next gathers. So one commit serves one order when it is quiet
and hundreds when it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

from actors import Actor
from cafe.ledger.errors import DatabaseGone, StaleEpoch
from cafe.ledger.messages import (
    Commit,
    CountGroups,
    LedgerCounts,
    LedgerUnavailable,
    OrderRow,
    OtherEpoch,
    Ping,
    ReadKey,
    ReadOrder,
    Storing,
)

T = TypeVar("T")


class Runner(Protocol):
    """How the Ledger has the store do something that blocks."""

    async def run(self, call: Callable[[], T]) -> T:
        """Run the call, and give what it gives."""
        ...


class InThread:
    """Runs what blocks, one call at a time, in a thread; never leaves a call to itself.

    It is not to be abandoned: the next would meet it. The store's own time-outs bound it.
    """

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)

    async def run(self, call: Callable[[], T]) -> T:
        """Run the call, and give what it gives."""
        return await trio.to_thread.run_sync(call, limiter=self._limiter)


class Ledger(Actor):
    """Writes and reads, one after the other."""

    def __init__(
        self,
        store: Storing,
        clock: Callable[[], float],
        key_ttl_seconds: float = 86_400.0,
        runner: Runner | None = None,
    ) -> None:
        """Keep records in `store`; `clock` tells seconds since the epoch."""
        self._store = store
        self._clock = clock
        self._key_ttl_seconds = key_ttl_seconds
        self._runner = runner or InThread()
        self._groups = self._records = 0

    @Commit.handler
    async def commit(self, message: Commit) -> None:
        """Write a group."""
        try:
            await self._run(lambda: self._store.commit(message.epoch, message.records))
        except StaleEpoch:
            raise OtherEpoch from None
        self._groups += 1
        self._records += len(message.records)

    @ReadOrder.handler
    async def read_order(self, message: ReadOrder) -> OrderRow | None:
        """Look an order up."""
        if not is_text(message.order_id):
            return None
        return await self._run(lambda: self._store.find(message.order_id))

    @ReadKey.handler
    async def read_key(self, message: ReadKey) -> OrderRow | None:
        """Look up the order of an Idempotency-Key, while that is remembered."""
        since = self._clock() - self._key_ttl_seconds
        address, key = message.address, message.key
        return await self._run(lambda: self._store.find_by_key(address, key, since))

    @Ping.handler
    async def ping(self, _message: Ping) -> None:
        """Make sure that the database answers."""
        await self._run(self._store.ping)

    @CountGroups.handler
    def count(self, _message: CountGroups) -> LedgerCounts:
        """Tell how much was written."""
        return LedgerCounts(self._groups, self._records)

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await self._runner.run(call)
        except DatabaseGone:
            raise LedgerUnavailable from None


def is_text(text: str) -> bool:
    """Tell whether every database could hold this; an id from a URL may be anything."""
    return text.isprintable()
