"""The HTTP schemas of notifications, for managers.

Rule: pydantic is used here only, at the edge. Times are RFC 3339 in UTC, durations seconds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from cafe.http.app import example
from cafe.http.reply import utc_time
from cafe.notifications.notification import Attempt, Notification, State, Topic
from cafe.notifications.queries import Page

ATTEMPT: Final = {"number": 1, "at": "2026-03-14T09:27:54.8Z", "outcome": "503", "seconds": 0.041}
NOTIFICATION: Final[dict[str, Any]] = {
    "event_id": "evt_1204_9f86d081884c",
    "topic": "order",
    "sequence": 3,
    "order_id": "hT0bn5ZqYc1xJ3Qek8V_d4Wn",
    "number": 17,
    "booking_id": None,
    "status": "ready",
    "occurred_at": "2026-03-14T09:27:54.789793Z",
    "state": "retrying",
    "due_at": "2026-03-14T09:27:59.841Z",
    "delivered_at": None,
    "attempts": [ATTEMPT],
}


class AttemptOut(BaseModel):
    """One attempt to deliver a notification."""

    model_config = example(ATTEMPT)

    number: int
    at: datetime
    outcome: str = Field(description="The HTTP status of the answer, or a word for the error.")
    seconds: float


class NotificationOut(BaseModel):
    """One notification."""

    model_config = example(NOTIFICATION)

    event_id: str
    topic: Topic = Field(description="What it is about; each topic has a receiver of its own.")
    sequence: int = Field(description="1, 2, 3 and so on for each order or booking.")
    order_id: str | None = Field(description="Null where it is about a booking.")
    number: int | None = Field(description="The order's ticket number.")
    booking_id: str | None = Field(description="Null where it is about an order.")
    status: str = Field(description="That of the order or the booking, after the event.")
    occurred_at: datetime
    state: State
    due_at: datetime | None = Field(description="When it is attempted next.")
    delivered_at: datetime | None
    attempts: list[AttemptOut] = Field(description="The last ten.")


class NotificationsOut(BaseModel):
    """Notifications, the newest first."""

    model_config = example({"notifications": [NOTIFICATION]})

    notifications: list[NotificationOut]


def notifications_out(page: Page) -> list[dict[str, Any]]:
    """Return the JSON of a page of notifications."""
    return [
        notification_out(one, page.attempts.get(one.event_id, ())) for one in page.notifications
    ]


def notification_out(one: Notification, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return the JSON of a notification with its last attempts."""
    return {
        "event_id": one.event_id,
        "topic": one.topic,
        "sequence": one.sequence,
        "order_id": one.subject_id if one.topic is Topic.ORDER else None,
        "number": json.loads(one.details).get("number"),
        "booking_id": one.subject_id if one.topic is Topic.BOOKING else None,
        "status": one.status,
        "occurred_at": utc_time(one.occurred_at),
        "state": one.state,
        "due_at": utc_time(one.due_at),
        "delivered_at": utc_time(one.delivered_at),
        "attempts": [
            {
                "number": attempt.number,
                "at": utc_time(attempt.at),
                "outcome": attempt.outcome,
                "seconds": round(attempt.seconds, 3),
            }
            for attempt in attempts
        ],
    }
