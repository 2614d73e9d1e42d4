"""Histories of orders: the changes of an order, and the two ways by which tests write them.

Rule: a change is made here, by the state machine (`Order.after`), and nowhere else in the ledger's
tests. `unit` makes units of changes, for `Store.commit`; a `RowWriter` writes their rows and events
over a connection, for ledgers that no store would write.

The order book is not used, because it decides what happens next. A test that needs a number twice,
or an order that is started out of turn, could not have it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table

from cafe.ledger.department import Entry, Put, Row
from cafe.ledger.errors import LedgerError
from cafe.ledger.statements import deletion, executing, last_event, upsert
from cafe.ledger.store import Committed, Store, Unit
from cafe.ledger.tables import events
from cafe.orders.order import (
    NO_ADDRESS,
    Action,
    Basket,
    Change,
    Destination,
    Line,
    Order,
    Status,
)
from cafe.orders.queries import Snapshot, find_by_key, find_order, load_orders
from cafe.orders.tables import entry_of

NOON = 1_767_000_000.0
ADDRESS = "192.0.2.1"
LEASE_SECONDS = 180.0
LATTE = Line("latte", "latte-vanilla", "Latte", "Vanilla", 2, 430)
WATER = Line("water", None, "Water", None, 1, 0)
DONUT = Line("donuts", None, "Donuts", None, 1, 200)
HARBOUR = Destination("harbour", "Harbour", "1 Quay Street")
UNCLAIMED: dict[str, Any] = {"barista": None, "claim": None, "lease_expires_at": None}


def basket(*lines: Line, account: str = "ada", prepaid: bool = False) -> Basket:
    """Return what an account has ordered: by default two lattes, a water and a donut."""
    lines = lines or (LATTE, WATER, DONUT)
    total = sum(line.total_cents for line in lines)
    fingerprint = " ".join(f"{line.quantity} {line.product_id}" for line in lines)
    return Basket(account, lines, total, fingerprint, '{"table": "Zoë"}', prepaid)


class Tickets:
    """Places orders, numbered from `last_number + 1`."""

    def __init__(self, last_number: int = 0) -> None:
        self.last_number = last_number

    def place(
        self,
        order_id: str | None = None,
        *,
        key: str | None = None,
        at: float = NOON,
        address: str = ADDRESS,
        basket: Basket | None = None,
        destination: Destination | None = None,
    ) -> Change:
        """Return a new order, whose id is by default `order-` and its number."""
        self.last_number += 1
        number = self.last_number
        order_id = f"order-{number}" if order_id is None else order_id
        if basket is None:
            order = Order(order_id, number, "americano", "Zoë", address, at, key, key is None)
        else:
            drink = basket.summary
            order = Order(order_id, number, drink, None, address, at, key, False, basket=basket)
        return Change(Action.PLACE, None, order._replace(destination=destination), at)

    def publish(self, *, at: float = NOON, destination: Destination = HARBOUR) -> Change:
        """Return a new order that is ready for a courier."""
        self.last_number += 1
        order = Order(
            f"order-{self.last_number}",
            self.last_number,
            "2 sandwiches",
            None,
            NO_ADDRESS,
            at,
            bound=False,
            status=Status.READY,
            ended_at=at,
            destination=destination,
        )
        return Change(Action.PUBLISH, None, order, at, "Di")

    def delivered(
        self, order_id: str, *, key: str | None = None, brewed: float = 40.0
    ) -> list[Change]:
        """Return the four changes of an order that is placed, started, finished and handed over."""
        placed = self.place(order_id, key=key)
        started = start(placed.order)
        finished = finish(started.order, at=NOON + 5 + brewed)
        return [placed, started, finished, hand_over(finished.order, at=finished.at)]


def start(order: Order, *, at: float = NOON + 5, barista: str | None = "Bo") -> Change:
    return _changed(
        order,
        Action.START,
        at,
        barista,
        barista=barista,
        claim=f"claim of {order.order_id}",
        started_at=at,
        lease_expires_at=at + LEASE_SECONDS,
    )


def finish(order: Order, *, at: float = NOON + 45) -> Change:
    """Return the finish, which is a late one if the order waits."""
    action = Action.FINISH_LATE if order.status is Status.WAITING else Action.FINISH
    return _changed(order, action, at, order.barista, ended_at=at)


def hand_over(order: Order, *, at: float = NOON + 45) -> Change:
    return _changed(order, Action.HAND_OVER, at)


def call_off(order: Order, *, at: float = NOON + 60) -> Change:
    return _changed(order, Action.CALL_OFF, at, "Di", "nobody was there", **UNCLAIMED)


def release(order: Order, *, at: float) -> Change:
    return _changed(order, Action.RELEASE, at, order.barista, **UNCLAIMED)


def expire(order: Order, *, at: float) -> Change:
    return _changed(order, Action.EXPIRE, at, lapsed=True, **UNCLAIMED)


def cancel(order: Order, *, at: float = NOON + 9, action: Action = Action.CANCEL) -> Change:
    """Return the end of a waiting order: cancelled, abandoned or cut off."""
    return _changed(order, action, at, reason="changed their mind", ended_at=at)


def abandon(order: Order, *, at: float) -> Change:
    """Return the mark that the customer of an order in preparation has disconnected."""
    return _changed(order, Action.ABANDON, at, abandoned=True)


def _changed(
    order: Order,
    action: Action,
    at: float,
    by: str | None = None,
    reason: str | None = None,
    **fields: Any,
) -> Change:
    return Change(action, order.status, order.after(action, **fields), at, by, reason)


# Writing


def unit(*changes: Change) -> Unit:
    """Return what one turn of the Dispatcher writes."""
    return Unit("orders", tuple(map(entry_of, changes)))


def unit_each(changes: Iterable[Change]) -> list[Unit]:
    """Return a unit for each change, as of a turn each."""
    return [unit(change) for change in changes]


class RowWriter:
    """Writes the rows and the event of each change over a connection, without a store."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._dialect = connection.dialect.name
        self._position = 0

    def write(self, change: Change) -> Order:
        """Write a change; return the order as it is then."""
        self.add(entry_of(change))
        return change.order

    def add(self, entry: Entry) -> None:
        """Write an entry of orders."""
        self._position += 1
        event, rows = entry
        assert event is not None
        for row in rows:
            if isinstance(row, Put):
                self._put(row.table, row.row)
            else:
                executing(self.connection)(deletion(self._dialect, row.table), row.key)
        self._put(events, (self._position, "orders", *event))

    def _put(self, table: Table, row: Row) -> None:
        executing(self.connection)(upsert(self._dialect, table, 1), row)


# Reading a store


def find(store: Store, order_id: str) -> Order | None:
    """Return an order as it is committed."""
    return store.read(lambda connection: find_order(connection, order_id))


def find_key(store: Store, key: str, since: float = 0.0) -> Order | None:
    """Return the order that holds a key of ADDRESS."""
    return store.read(lambda connection: find_by_key(connection, ADDRESS, key, since))


def load(store: Store) -> Snapshot:
    """Return what a Dispatcher would start from."""
    return store.read(load_orders)


def last_position(store: Store) -> int:
    """Return the position of the last event, and leave the store as it is."""
    last = store.read(lambda connection: connection.execute(last_event).first())
    return 0 if last is None else last.position


def refused(committed: Committed) -> list[int]:
    """Return the indexes of the units that were not written."""
    return sorted(committed.refused)


def failure_of(store: Store, units: list[Unit]) -> LedgerError:
    """Return what a commit raises."""
    try:
        store.commit(units)
    except LedgerError as error:
        return error
    raise AssertionError("the commit did not fail")
