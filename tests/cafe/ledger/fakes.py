"""A store without a database, which fails when it is told to, and a Ledger without a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import trio

from cafe.ledger.errors import DatabaseGone, StaleEpoch
from cafe.ledger.messages import OrderRow, Record, Snapshot

T = TypeVar("T")
LIVE = {"waiting", "preparation"}


class DiskBugError(Exception):
    """What no store should raise: the Ledger crashes of it."""


class MemoryStore:
    """Keeps records as the real store does, in dictionaries, and each only once."""

    def __init__(self) -> None:
        self.epoch = 0
        self.gone = False
        self.mute = 0
        """So many commits that are made, but whose answer is lost."""
        self.bugs = 0
        """So many calls that fail as they should not: half of the commits are made first."""
        self.events: dict[int, Record] = {}
        self.orders: dict[str, OrderRow] = {}
        self.groups: list[int] = []

    def survivor(self) -> MemoryStore:
        """Give what is left of it, for another process, when this one is killed."""
        store = MemoryStore()
        store.events, store.orders = dict(self.events), dict(self.orders)
        return store

    def load(self) -> Snapshot:
        self.epoch += 1
        self.ping()
        rows = sorted(self.orders.values(), key=lambda row: row.number)
        by_status: dict[str, int] = {}
        for row in rows:
            by_status[row.status] = by_status.get(row.status, 0) + 1
        return Snapshot(
            epoch=self.epoch,
            last_sequence=max(self.events, default=0),
            last_number=max((row.number for row in rows), default=0),
            live=tuple(row for row in rows if row.status in LIVE),
            by_status=by_status,
            brewing_seconds=(),
            last_at=max((record.event.at for record in self.events.values()), default=0.0),
        )

    def commit(self, epoch: int, records: Sequence[Record]) -> None:
        if epoch != self.epoch:
            raise StaleEpoch("the records are of another epoch")
        self.ping()
        if self.bugs % 2:
            self._fail()
        self._write(records)
        if self.bugs:
            self._fail()
        if self.mute:
            self.mute -= 1
            raise DatabaseGone("nobody knows whether it was written")

    def _write(self, records: Sequence[Record]) -> None:
        self.groups.append(len(records))
        for record in records:
            sequence, order = record.event.sequence, record.order
            if sequence <= len(self.events):
                assert self.events[sequence] == record, "written once, and then never changed"
                continue
            assert sequence == len(self.events) + 1, "in order, and none is left out"
            self.events[sequence] = record
            self.orders[order.order_id] = order

    def _fail(self) -> None:
        self.bugs -= 1
        raise DiskBugError

    def find(self, order_id: str) -> OrderRow | None:
        self.ping()
        if self.bugs:
            self._fail()
        return self.orders.get(order_id)

    def find_by_key(self, address: str, key: str, since: float) -> OrderRow | None:
        self.ping()
        if self.bugs:
            self._fail()
        found = [
            row
            for row in self.orders.values()
            if (row.address, row.key) == (address, key)
            and row.placed_at >= since
            and row.status != "cancelled"
        ]
        return found[-1] if found else None

    def ping(self) -> None:
        if self.gone:
            raise DatabaseGone("the database is gone")


class Disk:
    """Runs the store's calls in virtual time: each takes so many seconds."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    async def run(self, call: Callable[[], T]) -> T:
        await trio.sleep(self.seconds)
        return call()
