"""The follower of the ledger's log for notifications: for log lines, and metrics.

Rule: a follower gets committed changes only; it never waits and never fails, so metrics are
available also while the database is away. Ids of orders and bookings are not logged; of a
receiver's answer, only the status is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from cafe.ledger.department import Logged, Put
from cafe.notifications.notification import BACKLOG, Notification, State
from cafe.notifications.tables import (
    attempt_of,
    attempts,
    counts,
    notification_of,
    notifications,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger("notification")


class NotificationLog:
    """Logs and counts every attempt, and keeps the number of notifications in each state."""

    def __init__(self, registry: CollectorRegistry, counted: Mapping[State, int]) -> None:
        """Register the counter in `registry`; start from the numbers `counted` in the ledger."""
        self._counts = dict.fromkeys(State, 0) | dict(counted)
        self._attempts = Counter(
            "cafe_notification_attempts",
            "Attempts to deliver a notification, by HTTP status or a word for the error.",
            ("outcome",),
            registry=registry,
        )

    def hear(self, logged: Sequence[Logged]) -> None:
        """Log and count committed attempts, and copy the ledger's counts."""
        for one in logged:
            if one.department != "notifications":
                continue
            rows = {put.table: put.row for put in one.changes if isinstance(put, Put)}
            if attempts in rows:
                self._hear_attempt(notification_of(rows[notifications]), rows[attempts])
            for put in one.changes:
                if isinstance(put, Put) and put.table is counts:
                    state, number = put.row
                    self._counts[State(state)] = number

    def metrics(self) -> Iterator[Metric]:
        """Yield the metric families of the counts."""
        backlog = GaugeMetricFamily(
            "cafe_notifications",
            "Notifications that are not delivered, by state.",
            labels=("state",),
        )
        for state in BACKLOG:
            backlog.add_metric((state.value,), self._counts[state])
        yield backlog
        yield CounterMetricFamily(
            "cafe_notifications_delivered",
            "Notifications delivered, those deleted since included.",
            self._counts[State.DELIVERED],
        )

    def _hear_attempt(self, of: Notification, row: Sequence[Any]) -> None:
        attempt = attempt_of(row)
        self._attempts.labels(attempt.outcome).inc()
        line = log.warning if of.state is State.SET_ASIDE else log.info
        line(
            "attempt",
            event_id=attempt.event_id,
            topic=of.topic.value,
            number=attempt.number,
            outcome=attempt.outcome,
            state=of.state.value,
            seconds=round(attempt.seconds, 3),
        )
