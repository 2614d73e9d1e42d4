"""Compares the ledger's tables with what clients were answered.

Rule: it trusts neither the shop nor the shop's own checks. It reads the events, and reports each
acknowledged change that is missing and each event that must not be there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from sqlalchemy import Row, select

from cafe.ledger.checking import check, open_reader
from cafe.ledger.tables import events as log
from cafe.orders.order import LIVE
from cafe.orders.tables import orders
from cafe.shop.departments import DEPARTMENTS
from tests.system.load import READY, Record

SLACK = 0.02
"""Seconds by which two processes' clocks may differ; a restart takes longer."""
DONE = ("finish", "finish late")
BACK = ("release", "expire")
SAME = {"finish": DONE}
EACH_ONCE = ("start", "release")
"""Actions of which each event is acknowledged at most once."""

OrderRow = Row[Any]
EventRow = Row[Any]


@dataclass(slots=True)
class History:
    """All orders, each with its events."""

    orders: dict[str, OrderRow]
    events: dict[str, list[EventRow]]
    placed: list[str]
    """Ids, in the order in which the orders were placed."""

    def live_at(self, moment: float) -> list[str]:
        """Return the ids of orders that waited or were being prepared at a time."""
        return [
            order_id
            for order_id, events in self.events.items()
            if (before := [one for one in events if one.at <= moment]) and before[-1].after in LIVE
        ]

    def describe(self, order_id: str) -> str:
        """Return the events of an order in a line."""
        return ", ".join(f"{one.action} {one.at:.3f}" for one in self.events.get(order_id, []))

    def happened(self, order_id: str, actions: Sequence[str], by: float) -> int:
        """Return how often one of these actions has happened to an order by a time."""
        events = self.events.get(order_id, [])
        return sum(one.action in actions and one.at <= by for one in events)


def read(url: str) -> History:
    """Read the tables; the shop may be open."""
    with open_reader(url) as connection:
        rows = connection.execute(select(orders)).all()
        ours = select(log).where(log.c.department == "orders").order_by("position")
        events = connection.execute(ours).all()
    by_order: dict[str, list[EventRow]] = defaultdict(list)
    for event in events:
        by_order[event.subject].append(event)
    placed = [event.subject for event in events if event.action == "place"]
    return History({row.order_id: row for row in rows}, by_order, placed)


def violations(history: History, record: Record, kills: Sequence[float]) -> list[str]:
    """Return a sentence for each broken promise; `kills` are the times of the kills."""
    return [
        *record.wrong,
        *_lost(history, record),
        *_not_one_order_a_key(history, record),
        *_not_brewed(history, record),
        *_brewed_twice(history),
        *_brewed_in_vain(history, kills),
        *_wrong_numbers(history, record),
    ]


def _lost(history: History, record: Record) -> Iterator[str]:
    acknowledged: dict[tuple[str, str], list[float]] = defaultdict(list)
    for order_id, action, at in record.acknowledged:
        acknowledged[order_id, action].append(at)
    for (order_id, action), times in acknowledged.items():
        for number, at in enumerate(sorted(times), 1):
            wanted = number if action in EACH_ONCE else 1
            found = history.happened(order_id, SAME.get(action, (action,)), at + SLACK)
            if found < wanted:
                yield (
                    f"order {order_id}: {action} was acknowledged {wanted}x by {at:.3f}, found "
                    f"{found}x: {history.describe(order_id)}"
                )


def _not_one_order_a_key(history: History, record: Record) -> Iterator[str]:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for order in history.orders.values():
        if order.key is not None and order.status != "cancelled":
            found[order.address, order.key].add(order.order_id)
    for customer, answered in record.orders.items():
        brewed = found.pop(customer, set())
        done = [history.happened(order_id, DONE, inf) for order_id in brewed]
        if brewed != answered or done != [1]:
            yield f"{customer} was answered {answered}, has {brewed}, brewed {done}x"
        yield from (
            f"{customer}: order {order_id} is {history.orders[order_id].status}, not delivered"
            for order_id in brewed
            if history.orders[order_id].status != "delivered"
        )
    yield from (f"{customer} has {ids} and was never answered" for customer, ids in found.items())


def _not_brewed(history: History, record: Record) -> Iterator[str]:
    for order_id in record.kept:
        order = history.orders.get(order_id)
        if order is None or order.status not in READY:
            yield f"order {order_id} was kept, and is {order and order.status}"


def _brewed_twice(history: History) -> Iterator[str]:
    for order_id, events in history.events.items():
        brewing = False
        for event in events:
            if event.action == "start" and brewing:
                yield f"order {order_id} was started twice, without a release between"
            brewing = (brewing or event.action == "start") and event.action not in BACK
        if history.happened(order_id, DONE, inf) > 1:
            yield f"order {order_id} was finished more than once"


def _brewed_in_vain(history: History, kills: Sequence[float]) -> Iterator[str]:
    for order_id, order in history.orders.items():
        cut = next((at for at in kills if order.bound and order.placed_at <= at), None)
        if cut is None:
            continue
        late = [event for event in history.events[order_id] if event.at > cut]
        if any(event.action == "start" for event in late):
            yield f"order {order_id} was started after its customer's connection was lost"


def _wrong_numbers(history: History, record: Record) -> Iterator[str]:
    last = 0
    for order_id in history.placed:
        number = history.orders[order_id].number
        if number <= last:
            yield f"order {order_id} has number {number} after {last}"
        last = number
    for order_id, number in record.numbers.items():
        order = history.orders.get(order_id)
        if order is None or order.number != number:
            yield f"order {order_id} was answered as number {number}, and is {order}"


def broken_promises(url: str) -> list[str]:
    """Return what the shop's own check finds."""
    with open_reader(url) as connection:
        found = [(one.sentence, one.findings) for one in check(connection, DEPARTMENTS)]
    return [f"{sentence}: {findings[0]}" for sentence, findings in found if findings]
