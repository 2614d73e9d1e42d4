"""The followers of the ledger's log for orders: log lines, metrics, the ready board.

Rule: a follower receives committed changes only; it never waits and never fails. Customers' names
and orders' ids are not logged: an id is enough to cancel an order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from cafe.ledger.department import Logged, Put
from cafe.orders.messages import QueueCount
from cafe.orders.order import FINISHES, Action, Order, Status
from cafe.orders.ready_board import Cup, ReadyBoard
from cafe.orders.tables import orders

SECONDS = (0.01, 0.1, 1, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800)

# Positions in a row: making an Order for each line would add a third to its cost.
NUMBER, NAME, ADDRESS, PLACED_AT, STATUS, STARTED_AT, ENDED_AT = map(
    Order._fields.index,
    ("number", "name", "address", "placed_at", "status", "started_at", "ended_at"),
)

log: structlog.stdlib.BoundLogger = structlog.get_logger("order")


class OrderLog:
    """Logs and counts every transition of an order."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "cafe_order_events", "Transitions of orders.", ("action",), registry=registry
        )
        self._waits = Histogram(
            "cafe_order_wait_seconds",
            "From the order to the coffee.",
            buckets=SECONDS,
            registry=registry,
        )
        self._brewing = Histogram(
            "cafe_order_brewing_seconds",
            "From the start to the finish.",
            buckets=SECONDS,
            registry=registry,
        )
        self._log = log.bind()  # once: the lazy logger binds again for each line
        # The library takes a lock for each look-up of a child.
        self._by_action = {one.value: self._events.labels(one.value) for one in Action}

    def hear(self, logged: Sequence[Logged]) -> None:
        """Log and count committed transitions."""
        for one in logged:
            event = one.event
            change = one.changes[0] if one.department == "orders" else None
            if not (isinstance(change, Put) and change.table is orders):
                continue
            row = change.row
            waited = max(0.0, (row[ENDED_AT] or event.at) - row[PLACED_AT])
            self._by_action[event.action].inc()
            if event.action in FINISHES:
                self._waits.observe(waited)
                self._brewing.observe(max(0.0, row[ENDED_AT] - row[STARTED_AT]))
            self._log.info(
                "order",
                action=event.action,
                before=event.before,
                status=event.after,
                number=row[NUMBER],
                address=row[ADDRESS],
                barista=event.by,
                waited_seconds=round(waited, 3),
            )


def metrics_of(queue: QueueCount) -> Iterator[Metric]:
    """Yield the metric families of the Dispatcher's counts."""
    orders = GaugeMetricFamily(
        "cafe_orders",
        "Orders in memory: those that have not ended, and recently ended ones.",
        labels=("status",),
    )
    for status, number in queue.by_status.items():
        orders.add_metric((status.value,), number)
    yield orders
    yield GaugeMetricFamily("cafe_queue_length", "Orders waiting for a barista.", queue.waiting)
    yield GaugeMetricFamily(
        "cafe_baristas", "Baristas who hold an order or wait for one.", queue.baristas
    )


def hear_for(board: ReadyBoard, logged: Sequence[Logged]) -> None:
    """Note committed changes on the board; with `partial`, a follower for `Ledger.listen`."""
    for one in logged:
        event = one.event
        change = one.changes[0] if one.department == "orders" and one.changes else None
        if not (isinstance(change, Put) and change.table is orders) or _is_brought(event.data):
            continue
        row = change.row
        cup = Cup(row[NUMBER], row[NAME], row[ENDED_AT])
        board.note(event.subject, cup, Status(row[STATUS]), event.at)


def _is_brought(data: str | None) -> bool:
    """Return whether a courier brings the order of an event with this data."""
    return data is not None and "destination" in json.loads(data)
