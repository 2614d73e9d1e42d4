"""Which events of the log are notified, and with which details.

Rule: pure. The departments write what followers need into the `data` of their events, as JSON; an
event without it is not notified.

| department | notified events | topic |
|---|---|---|
| orders | each change of status of a basket's order | order |
| delivery | a basket's order is assigned, picked up, or could not be delivered | order |
| bookings | a table is requested, which a manager has to decide | booking |

The other events of a delivery are covered by its order's, which becomes `delivered` or `cancelled`.
Imported events happened elsewhere, and were notified there.
"""

from __future__ import annotations

import json
from typing import Final

from cafe.ledger.department import Logged
from cafe.notifications.notification import StatusChange, Topic

TOPICS: Final = {"orders": Topic.ORDER, "delivery": Topic.ORDER, "bookings": Topic.BOOKING}
"""The topic of each department's events."""
ON_THE_STREET: Final = frozenset({"assigned", "picked_up", "failed"})
"""The statuses of a delivery that are notified."""
REQUESTED: Final = "requested"


def status_change_of(logged: Logged) -> StatusChange | None:
    """Return the change to notify of an event; None if it changes no status, or is not notified."""
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
    """Return the details of a basket's order from an event's data; None for all other events.

    The data of a basket has `number` and `account_id`; that of an imported event, `imported`.
    """
    match json.loads(data):
        case {"imported": _}:
            return None
        case {"number": int(number), "account_id": _}:
            return json.dumps({"number": number})
        case _:
            return None


def details_of_request(data: str) -> str | None:
    """Return the details of a request for a table: which, when, and for how many."""
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
