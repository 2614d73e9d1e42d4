"""The import of orders from another system: those of baskets, and those that couriers bring.

Rule: an imported order makes the same transitions as one that is placed here, each at its former
time, and with the former id in the event's data, so that followers can tell it from a new order.
Its id is derived from the former one with the shop's secret: importing an order twice is refused.

An order that waited or was in preparation waits here: no barista of this shop has it. One that has
ended gets a brewing time of 0, since nothing says how long it took.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from cafe.ledger.department import Entry, Event, Put
from cafe.ledger.importing import WHO, WrongRecordError
from cafe.orders.kept_queries import find_secret, new_secret
from cafe.orders.order import NO_ADDRESS, Basket, Change, Destination, Line, OrderIds, Status
from cafe.orders.queries import find_ids, load_last_number
from cafe.orders.queue import OrderBook
from cafe.orders.tables import entry_of, id_secret

AS_THEY_STAND: Final = (Status.WAITING, Status.READY, Status.DELIVERED, Status.CANCELLED)
"""The statuses in which an order is imported."""

LEASE: Final = 60.0
"""Seconds, of orders that are started and finished at once."""


class Sold(NamedTuple):
    """An order of a basket to import."""

    former_id: str
    account_id: str
    lines: tuple[Line, ...]
    total_cents: int
    status: Status
    """One of AS_THEY_STAND."""
    placed_at: float
    ended_at: float
    """When it was ready or cancelled, if it was."""
    metadata: str | None = None


class Published(NamedTuple):
    """An order that a courier brings or has brought, to import."""

    former_id: str
    name: str
    destination: Destination
    placed_at: float
    ended_at: float | None
    """When it was handed over, if it was."""


class Imported(NamedTuple):
    """An order that was imported."""

    order_id: str
    number: int
    entries: list[Entry]


class OrdersImport:
    """Makes the entries of imported orders; add them in the order of their times."""

    def __init__(self, connection: Connection, system: str, former_ids: Sequence[str]) -> None:
        """Read which of the orders are known; `system` names the one that they come from."""
        known = find_secret(connection)
        secret = known or new_secret(connection)
        self._new_secret = secret if known is None else None
        ids = OrderIds(secret[0])
        self._ids = {one: ids.of_imported(system, one) for one in former_ids}
        self._known = find_ids(connection, list(self._ids.values()))
        self._book = OrderBook(lease_seconds=LEASE, key_ttl_seconds=0.0, most_recent=0)
        self._book.resume((), (), load_last_number(connection), (), 0.0)

    def secret(self) -> list[Entry]:
        """Return the entry that stores the secret of the ids; none if it is stored already."""
        if self._new_secret is None:
            return []
        return [Entry(None, (Put(id_secret, (1, *self._new_secret)),))]

    def sell(self, sold: Sold) -> Imported:
        """Add the order of a basket; raises WrongRecordError if its id is taken."""
        order_id = self._new_id(sold.former_id)
        return self._imported(order_id, sold.former_id, self._sold(order_id, sold))

    def publish(self, published: Published) -> Imported:
        """Add an order that a courier brings; raises WrongRecordError if its id is taken."""
        order_id = self._new_id(published.former_id)
        return self._imported(order_id, published.former_id, self._published(order_id, published))

    def _new_id(self, former_id: str) -> str:
        order_id = self._ids[former_id]
        if order_id in self._known:
            raise WrongRecordError("Another order has this id.", "order_id")
        self._known.add(order_id)
        return order_id

    def _imported(self, order_id: str, former_id: str, changes: Iterator[Change]) -> Imported:
        entries = [_marked(entry_of(one), former_id) for one in changes]
        order = self._book.find(order_id)
        if order.ended:
            self._book.forget(order_id)
        return Imported(order_id, order.number, entries)

    def _sold(self, order_id: str, sold: Sold) -> Iterator[Change]:
        book, ended_at = self._book, sold.ended_at
        basket = Basket(
            sold.account_id,
            sold.lines,
            sold.total_cents,
            f"imported {sold.former_id}",
            sold.metadata,
        )
        yield book.place(
            order_id,
            basket.summary,
            None,
            NO_ADDRESS,
            None,
            sold.placed_at,
            bound=False,
            basket=basket,
        )
        if sold.status is Status.CANCELLED:
            cancelled = book.cancel(order_id, ended_at)
            yield from () if cancelled is None else (cancelled,)
        elif sold.status is not Status.WAITING:
            yield book.start_this(order_id, None, ended_at)
            yield book.step(order_id, None, ended_at)
        if sold.status is Status.DELIVERED:
            yield book.step(order_id, None, ended_at)

    def _published(self, order_id: str, published: Published) -> Iterator[Change]:
        _, name, destination, placed_at, ended_at = published
        yield self._book.publish(order_id, name, destination, placed_at, WHO)
        if ended_at is not None:
            yield self._book.hand_over(order_id, ended_at, WHO)


def _marked(entry: Entry, former_id: str) -> Entry:
    """Return an entry whose event says that it was imported."""
    event: Event | None = entry.event
    if event is None:
        return entry
    data = {**json.loads(event.data or "{}"), "imported": former_id}
    return Entry(event._replace(by=WHO, data=json.dumps(data)), entry.changes)
