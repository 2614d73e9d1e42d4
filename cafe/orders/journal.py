"""What the shop tells of its orders: one log line a transition, and the histograms.

Rule: told of every change in order, by the Dispatcher, in its turn; so it never waits and never
fails. Customers' names stay out of it.
"""

from __future__ import annotations

import structlog
from prometheus_client import CollectorRegistry, Histogram

from cafe.orders.order import Action, Change

SECONDS = (0.01, 0.1, 1, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800)

log: structlog.stdlib.BoundLogger = structlog.get_logger("order")


class Journal:
    """Writes down every transition."""

    def __init__(self, registry: CollectorRegistry) -> None:
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

    def record(self, change: Change) -> None:
        """Take down one change."""
        order = change.order
        if change.action in {Action.FINISH, Action.FINISH_LATE}:
            self._waits.observe(order.waited_seconds(change.at))
            self._brewing.observe(order.brewed_seconds)
        log.info(
            "order",
            action=str(change.action),
            before=None if change.before is None else str(change.before),
            status=str(order.status),
            order_id=order.order_id,
            number=order.number,
            address=order.address,
            barista=order.barista,
            waited_seconds=round(order.waited_seconds(change.at), 3),
        )
