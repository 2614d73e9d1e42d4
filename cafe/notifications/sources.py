"""Which events of the log are told, and what of them.

Rule: pure. The departments write what followers need into the `data` of their events, as JSON; what
lacks it is not told.

| department | what is told | topic |
|---|---|---|
| orders | each change of status of a basket's order | order |
| delivery | that a basket's order is assigned, picked up, or failed to be delivered | order |
| bookings | that a table is requested, which someone has to decide | booking |

The other events of a delivery are told by its order's, which then is `delivered` or `cancelled`.
What was imported happened elsewhere, and was told there.
"""

from __future__ import annotations

import json
from typing import Final

from cafe.ledger.department import Logged
from cafe.notifications.notification import StatusChange, Topic

TOPICS: Final = {"orders": Topic.ORDER, "delivery": Topic.ORDER, "bookings": Topic.BOOKING}
"""By department."""
ON_THE_STREET: Final = frozenset({"assigned", "picked_up", "failed"})
"""The statuses of a delivery that are told."""
REQUESTED: Final = "requested"


def status_change_of(logged: Logged) -> StatusChange | None:
    """Return what an event tells; None where it changes no status, or is not told."""
    event = logged.event
    topic = TOPICS.get(logged.department)
    if topic is None or event.data is None or event.before == event.after:
        return None
    match logged.department:
        case "orders":
            details = details_of_basket(event.data)
        case "delivery":
            details = details_of_basket(event.data) if event.after in ON_THE_STREET else None
        case _:
            details = details_of_request(event.data) if event.after == REQUESTED else None
    if details is None:
        return None
    return StatusChange(logged.position, topic, event.subject, details, event.after, event.at)


def details_of_basket(data: str) -> str | None:
    """Return what is told of an order beside its status; None where it is no basket's.

    It has the members `number` and `account_id` where it is one, and `imported` in what happened
    elsewhere.
    """
    match json.loads(data):
        case {"imported": _}:
            return None
        case {"number": int(number), "account_id": _}:
            return json.dumps({"number": number})
        case _:
            return None


def details_of_request(data: str) -> str | None:
    """Return what is told of a request for a table: which, when, and for how many."""
    match json.loads(data):
        case {
            "table_id": str(table_id),
            "from": str(begins_at),
            "to": str(ends_at),
            "party": int(party),
        }:
            return json.dumps(
                {"table_id": table_id, "from": begins_at, "to": ends_at, "party": party}
            )
        case _:
            return None
