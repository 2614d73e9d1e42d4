"""Orders' lives as units, written in one line each, and what a store has of them."""

from __future__ import annotations

from cafe.ledger.errors import LedgerError
from cafe.ledger.statements import last_event
from cafe.ledger.store import Committed, Store, Unit
from cafe.orders.order import Action, Change, Order
from cafe.orders.queries import Snapshot, find_by_key, find_order, load_orders
from cafe.orders.tables import entry_of

NOON = 1_767_000_000.0
ADDRESS = "203.0.113.7"
LEASE_SECONDS = 180.0


class Writer:
    """Numbers orders and says what happens to them, as the order book does."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def place(
        self, order_id: str, *, key: str | None = None, at: float = NOON, address: str = ADDRESS
    ) -> Change:
        self.number += 1
        order = Order(order_id, self.number, "americano", "Zoë", address, at, key, key is None)
        return Change(Action.PLACE, None, order, at)

    def start(self, order: Order, *, at: float = NOON + 5, barista: str | None = "Bo") -> Change:
        after = order.after(
            Action.START,
            barista=barista,
            claim=f"claim of {order.order_id}",
            started_at=at,
            lease_expires_at=at + LEASE_SECONDS,
        )
        return Change(Action.START, order.status, after, at, barista)

    def finish(self, order: Order, *, at: float = NOON + 45) -> Change:
        after = order.after(Action.FINISH, ended_at=at)
        return Change(Action.FINISH, order.status, after, at, order.barista)

    def hand_over(self, order: Order, *, at: float = NOON + 45) -> Change:
        return Change(Action.HAND_OVER, order.status, order.after(Action.HAND_OVER), at)

    def cancel(self, order: Order, *, at: float = NOON + 9) -> Change:
        after = order.after(Action.CANCEL, ended_at=at)
        return Change(Action.CANCEL, order.status, after, at, reason="changed their mind")

    def changes(
        self, order_id: str, *, key: str | None = None, brewed: float = 40.0
    ) -> list[Change]:
        """Return a whole life, from the order to the hand-over."""
        placed = self.place(order_id, key=key)
        started = self.start(placed.order)
        finished = self.finish(started.order, at=NOON + 5 + brewed)
        return [placed, started, finished, self.hand_over(finished.order, at=finished.at)]

    def life(self, order_id: str, *, key: str | None = None, brewed: float = 40.0) -> list[Unit]:
        """Return a whole life of four events, as the unit of each turn."""
        return [unit(change) for change in self.changes(order_id, key=key, brewed=brewed)]


def unit(*changes: Change) -> Unit:
    """Return what one turn of the Dispatcher writes."""
    return Unit("orders", tuple(map(entry_of, changes)))


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
    """Return the position of the last event; the store learns nothing by that."""
    last = store.read(lambda connection: connection.execute(last_event).first())
    return 0 if last is None else last.position


def refused(committed: Committed) -> list[int]:
    """Return which units of a commit were not written."""
    return sorted(committed.refused)


def failure_of(store: Store, units: list[Unit]) -> LedgerError:
    """Return what a commit raises."""
    try:
        store.commit(units)
    except LedgerError as error:
        return error
    raise AssertionError("the commit went well")
