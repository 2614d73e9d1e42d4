"""Writes orders' lives into a ledger's tables, as the shop would, or not quite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table

from cafe.ledger.department import Put, Row
from cafe.ledger.statements import Statements
from cafe.ledger.tables import events
from cafe.orders.order import Action, Change, Order, Status
from cafe.orders.tables import entry_of
from tests.cafe.ledger.lives import LEASE_SECONDS


class Scribe:
    """Keeps the count of numbers and positions, and writes over a connection of the test's."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._statements = Statements(connection.dialect)
        self._number = 0
        self._position = 0

    def place(self, at: float, address: str = "192.0.2.1", key: str | None = None) -> Order:
        self._number += 1
        order_id = f"order-{self._number}"
        bound = key is None
        order = Order(order_id, self._number, "americano", "Ada", address, at, key, bound=bound)
        return self._write(Change(Action.PLACE, None, order, at))

    def start(self, order: Order, at: float, barista: str | None = "Bo") -> Order:
        lease = {"started_at": at, "lease_expires_at": at + LEASE_SECONDS}
        return self.step(order, Action.START, at, by=barista, barista=barista, **lease)

    def finish(self, order: Order, at: float) -> Order:
        late = order.status is Status.WAITING
        action = Action.FINISH_LATE if late else Action.FINISH
        return self.step(order, action, at, ended_at=at)

    def give_back(self, order: Order, at: float, action: Action = Action.RELEASE) -> Order:
        lapsed = order.lapsed or action is Action.EXPIRE
        return self.step(order, action, at, barista=None, lease_expires_at=None, lapsed=lapsed)

    def leave(self, order: Order, at: float, action: Action = Action.CANCEL) -> Order:
        """Let the customer of a waiting order go without."""
        return self.step(order, action, at, ended_at=at)

    def step(
        self, order: Order, action: Action, at: float, by: str | None = None, **changes: Any
    ) -> Order:
        return self._write(Change(action, order.status, order.after(action, **changes), at, by))

    def _write(self, change: Change) -> Order:
        self._position += 1
        event, rows = entry_of(change)
        assert event is not None
        for row in rows:
            if isinstance(row, Put):
                self._put(row.table, row.row)
            else:
                self.connection.exec_driver_sql(self._statements.drop(row.table), row.key)
        logged = (self._position, "orders", *event)
        self._put(events, logged)
        return change.order

    def _put(self, table: Table, row: Row) -> None:
        for sql, parameters in self._statements.puts(table, [row]):
            self.connection.exec_driver_sql(sql, parameters)
