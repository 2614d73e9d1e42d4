"""What a ledger's tables say, held against what everybody has heard of the shop.

Rule: it believes neither the shop nor its own checks; it reads the events, and finds whatever was
acknowledged and is not there, and whatever is there and must not be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from sqlalchemy import Row, select

from cafe.ledger.checking import check, open_reader
from cafe.ledger.department import Department
from cafe.ledger.tables import events as log
from cafe.orders.tables import LIVE, orders
from cafe.shop.departments import DEPARTMENTS
from tests.system.street import READY, Notes

SLACK = 0.02
"""Seconds by which two processes' clocks may differ; a shop needs longer to open again."""
DONE = ("finish", "finish late")
BACK = ("release", "expire")
ALIKE = {"finish": DONE}
EACH_ONCE = ("start", "release")
"""What is never acknowledged twice for one event."""

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
        """Give the orders that waited or were being prepared."""
        return [
            order_id
            for order_id, events in self.events.items()
            if (before := [one for one in events if one.at <= moment]) and before[-1].after in LIVE
        ]

    def life(self, order_id: str) -> str:
        """Tell in a line what has happened to an order."""
        return ", ".join(f"{one.action} {one.at:.3f}" for one in self.events.get(order_id, []))

    def happened(self, order_id: str, actions: Sequence[str], by: float) -> int:
        """Count how often one of these has happened to an order by then."""
        events = self.events.get(order_id, [])
        return sum(one.action in actions and one.at <= by for one in events)


def read(url: str) -> History:
    """Read the tables, of a shop that may be open."""
    with open_reader(url) as connection:
        rows = connection.execute(select(orders)).all()
        ours = select(log).where(log.c.department == "orders").order_by("position")
        events = connection.execute(ours).all()
    lives: dict[str, list[EventRow]] = defaultdict(list)
    for event in events:
        lives[event.subject].append(event)
    placed = [event.subject for event in events if event.action == "place"]
    return History({row.order_id: row for row in rows}, lives, placed)


def wrongs(history: History, notes: Notes, kills: Sequence[float]) -> list[str]:
    """Give a sentence for each thing that is not as was promised; `kills` are times."""
    return [
        *notes.wrong,
        *_lost(history, notes),
        *_not_one_coffee_a_key(history, notes),
        *_not_brewed(history, notes),
        *_brewed_twice(history),
        *_brewed_for_nobody(history, kills),
        *_wrong_numbers(history, notes),
    ]


def _lost(history: History, notes: Notes) -> Iterator[str]:
    heard: dict[tuple[str, str], list[float]] = defaultdict(list)
    for order_id, action, at in notes.heard:
        heard[order_id, action].append(at)
    for (order_id, action), times in heard.items():
        for acknowledged, at in enumerate(sorted(times), 1):
            wanted = acknowledged if action in EACH_ONCE else 1
            found = history.happened(order_id, ALIKE.get(action, (action,)), at + SLACK)
            if found < wanted:
                yield (
                    f"order {order_id}: {action} was acknowledged {wanted}x by {at:.3f}, is there "
                    f"{found}x: {history.life(order_id)}"
                )


def _not_one_coffee_a_key(history: History, notes: Notes) -> Iterator[str]:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for order in history.orders.values():
        if order.key is not None and order.status != "cancelled":
            found[order.address, order.key].add(order.order_id)
    for who, told in notes.coffees.items():
        brewed = found.pop(who, set())
        done = [history.happened(order_id, DONE, inf) for order_id in brewed]
        if brewed != told or done != [1]:
            yield f"{who} was told of {told}, has {brewed}, brewed {done}x"
        yield from (
            f"{who}: order {order_id} is {history.orders[order_id].status}, not delivered"
            for order_id in brewed
            if history.orders[order_id].status != "delivered"
        )
    yield from (f"{who} has {of} and never came" for who, of in found.items())


def _not_brewed(history: History, notes: Notes) -> Iterator[str]:
    for order_id in notes.kept:
        order = history.orders.get(order_id)
        if order is None or order.status not in READY:
            yield f"order {order_id} was kept, and is {order and order.status}"


def _brewed_twice(history: History) -> Iterator[str]:
    for order_id, events in history.events.items():
        brewing = False
        for event in events:
            if event.action == "start" and brewing:
                yield f"order {order_id} was started again, and was not given back"
            brewing = (brewing or event.action == "start") and event.action not in BACK
        if history.happened(order_id, DONE, inf) > 1:
            yield f"order {order_id} was finished more than once"


def _brewed_for_nobody(history: History, kills: Sequence[float]) -> Iterator[str]:
    for order_id, order in history.orders.items():
        cut = next((at for at in kills if order.bound and order.placed_at <= at), None)
        if cut is None:
            continue
        late = [event for event in history.events[order_id] if event.at > cut]
        if any(event.action == "start" for event in late):
            yield f"order {order_id} was started after its customer's connection was lost"


def _wrong_numbers(history: History, notes: Notes) -> Iterator[str]:
    last = 0
    for order_id in history.placed:
        number = history.orders[order_id].number
        if number <= last:
            yield f"order {order_id} has number {number} after {last}"
        last = number
    for order_id, number in notes.numbers.items():
        order = history.orders.get(order_id)
        if order is None or order.number != number:
            yield f"order {order_id} was told to be number {number}, and is {order}"


def broken_promises(url: str, departments: Iterable[Department[Any]] = DEPARTMENTS) -> list[str]:
    """Give what the shop's own check finds."""
    with open_reader(url) as connection:
        found = [(one.sentence, one.findings) for one in check(connection, departments)]
    return [f"{sentence}: {findings[0]}" for sentence, findings in found if findings]
