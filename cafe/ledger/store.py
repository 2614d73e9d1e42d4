"""The store: records go in, group by group; a shop that starts gets what it goes on from.

Rule: one thread at a time, one connection, one transaction an operation.

Theory of operation. There is one owner, so the store knows the last event that is written, and
reads it again only when it cannot know: when a commit failed, perhaps with its answer only, and
when the connection was made anew. Then the last event is either the one that was known or the one
whose commit had no answer. Anything else was written by somebody who has owned the database since:
StaleEpoch, as if it had been another instance in this process.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from sqlalchemy import Connection

from cafe.ledger import statements
from cafe.ledger.errors import StaleEpoch
from cafe.ledger.link import Database, Link
from cafe.ledger.records import EventRow, OrderRow, Record, Snapshot
from cafe.ledger.schema import STATUSES
from cafe.ledger.statements import Writing, writing_for

NEVER = -1


class Store:
    """A ledger that is open; `cafe.ledger.opening.open_store` opens it.

    Any thread may call. All but `close` raise DatabaseGone for what may pass (locked, disk full,
    server gone), and DatabaseInUse when the connection was lost and another shop has come.
    """

    def __init__(self, database: Database) -> None:
        self._link = Link(database)
        self._lock = Lock()
        self._writing: Writing | None = None
        self._epoch = 0
        self._last: EventRow | None = None
        self._unanswered: EventRow | None = None
        self._certain_at = NEVER
        """The link's generation for which `_last` is known to be the last event."""

    def load(self) -> Snapshot:
        """Begin a new epoch, and read what its owner goes on from."""
        with self._lock:
            # First, so that the owner before is out even if reading fails and is tried again.
            self._epoch += 1
            self._certain_at = NEVER
            with self._link.transaction(writing=False) as connection:
                snapshot, last = _snapshot(connection, self._epoch)
            self._last, self._unanswered = last, None
            self._certain_at = self._link.generation
            return snapshot

    def commit(self, epoch: int, records: Sequence[Record]) -> None:
        """Write `records`, in the order of their sequence, all or none; durable on return.

        What is written already is passed over, so the same records may be given again after
        DatabaseGone, alone or with later ones. Raises StaleEpoch when `load` was called since
        `epoch` began, here or, while the connection was lost, by another shop.
        """
        with self._lock:
            if epoch != self._epoch:
                raise StaleEpoch(f"Epoch {epoch} is over; it is {self._epoch} now.")
            try:
                with self._link.transaction(writing=True) as connection:
                    self._make_certain(connection)
                    fresh = self._not_written(records)
                    if fresh:
                        self._write(connection, fresh)
                        self._unanswered = fresh[-1].event
            except BaseException:
                self._certain_at = NEVER
                raise
            self._last, self._unanswered = self._unanswered or self._last, None

    def find(self, order_id: str) -> OrderRow | None:
        """Give the order as it stood at the last commit."""
        with self._lock, self._link.transaction(writing=False) as connection:
            row = connection.execute(statements.find_order, {"order_id": order_id}).first()
        return None if row is None else OrderRow._make(row)

    def find_by_key(self, address: str, key: str, since: float) -> OrderRow | None:
        """Give the order that holds this key, if it was placed at `since` or later.

        A cancelled order holds none.
        """
        with self._lock, self._link.transaction(writing=False) as connection:
            row = connection.execute(
                statements.find_order_by_key, {"address": address, "key": key, "since": since}
            ).first()
        return None if row is None else OrderRow._make(row)

    def ping(self) -> None:
        """Raise DatabaseGone unless the database can be written.

        Writes something that changes nothing, to the disk: only that notices a full one.
        """
        with self._lock, self._link.transaction(writing=True) as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")

    def close(self) -> None:
        """Disconnect, and let others own the database; doing it again does nothing."""
        with self._lock:
            self._link.close()

    def _make_certain(self, connection: Connection) -> None:
        if self._certain_at == self._link.generation:
            return
        row = connection.execute(statements.last_event).first()
        found = None if row is None else EventRow._make(row)
        if self._unanswered is not None and found == self._unanswered:
            self._last = found
        elif found != self._last:
            raise StaleEpoch("Another shop has written to the ledger since.")
        self._unanswered = None
        self._certain_at = self._link.generation

    def _not_written(self, records: Sequence[Record]) -> Sequence[Record]:
        last = 0 if self._last is None else self._last.sequence
        if records and records[0].event.sequence <= last:
            return [record for record in records if record.event.sequence > last]
        return records

    def _write(self, connection: Connection, records: Sequence[Record]) -> None:
        if self._writing is None:
            self._writing = writing_for(connection.dialect)
        sql = self._writing
        latest = {order.order_id: order for _, order in records}
        # Orders first: events and keys refer to them.
        connection.exec_driver_sql(sql.put_orders, list(latest.values()))
        connection.exec_driver_sql(sql.add_events, [event for event, _ in records])
        placed, freed = _keys(records)
        if placed:
            connection.exec_driver_sql(sql.put_keys, placed)
        if freed:
            connection.exec_driver_sql(sql.free_keys, freed)


_KeyRow = tuple[str, str, str, float]


def _keys(records: Sequence[Record]) -> tuple[list[_KeyRow], list[tuple[str, str, str]]]:
    """Give the keys that were taken, the last taker of each, and those that came free."""
    placed: dict[tuple[str, str], _KeyRow] = {}
    freed: list[tuple[str, str, str]] = []
    for event, order in records:
        if order.key is None:
            continue
        if event.before is None:
            key = order.address, order.key
            placed[key] = (*key, order.order_id, order.placed_at)
        elif event.after == "cancelled":
            freed.append((order.address, order.key, order.order_id))
    return list(placed.values()), freed


def _snapshot(connection: Connection, epoch: int) -> tuple[Snapshot, EventRow | None]:
    row = connection.execute(statements.last_event).first()
    last = None if row is None else EventRow._make(row)
    counts: dict[str, int] = dict(connection.execute(statements.count_by_status).all())
    brewed = connection.execute(statements.last_brewed).all()
    snapshot = Snapshot(
        epoch=epoch,
        last_sequence=0 if last is None else last.sequence,
        last_number=connection.execute(statements.last_number).scalar_one(),
        live=tuple(OrderRow._make(row) for row in connection.execute(statements.live_orders).all()),
        by_status={status: counts.get(status, 0) for status in STATUSES},
        last_at=0.0 if last is None else last.at,
        brewing_seconds=tuple(max(0.0, end - start) for start, end in reversed(brewed)),
    )
    return snapshot, last
