"""What follows the ledger's log for notifications: log lines, and metrics.

Rule: a follower is told of committed changes only; it never waits and never fails, so metrics are
there also while the database is away. Ids of orders are not logged, nor anything of a receiver's
answer but its status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from cafe.ledger.department import Logged, Put
from cafe.notifications.notification import BACKLOG, State
from cafe.notifications.tables import attempt_of, attempts, counts

log: structlog.stdlib.BoundLogger = structlog.get_logger("notification")


class NotificationLog:
    """Logs and counts every attempt, and has the count of notifications in each state."""

    def __init__(self, registry: CollectorRegistry, counted: Mapping[State, int]) -> None:
        """Register in `registry`; go on from what is `counted` in the ledger."""
        self._counts = dict.fromkeys(State, 0) | dict(counted)
        self._attempts = Counter(
            "cafe_notification_attempts",
            "Attempts to deliver a notification, by HTTP status or a word for the error.",
            ("outcome",),
            registry=registry,
        )

    def hear(self, logged: Sequence[Logged]) -> None:
        """Log and count committed attempts, and keep the counts of the ledger."""
        for one in logged:
            if one.department != "notifications":
                continue
            for change in one.changes:
                if not isinstance(change, Put):
                    continue
                if change.table is counts:
                    state, number = change.row
                    self._counts[State(state)] = number
                elif change.table is attempts:
                    self._hear_attempt(change.row, State(one.event.after))

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

    def _hear_attempt(self, row: Sequence[Any], state: State) -> None:
        attempt = attempt_of(row)
        self._attempts.labels(attempt.outcome).inc()
        line = log.warning if state is State.SET_ASIDE else log.info
        line(
            "attempt",
            event_id=attempt.event_id,
            number=attempt.number,
            outcome=attempt.outcome,
            state=state.value,
            seconds=round(attempt.seconds, 3),
        )
