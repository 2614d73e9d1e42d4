"""What goes over the wire about orders, as OpenAPI shows it.

Rule: one example a shape, all of them of the same order; a test reads each with its schema.
"""

from __future__ import annotations

from typing import Any, Final

ORDER_ID: Final = {"order_id": "hT0bn5ZqYc1xJ3Qek8V_d4Wn"}
WISH: Final = {"drink": "americano", "name": "Ada"}
TICKET: Final = {**ORDER_ID, "number": 17}

ORDER: Final[dict[str, Any]] = {
    **TICKET,
    **WISH,
    "status": "ready",
    "position": None,
    "eta_seconds": None,
    "placed_at": "2026-03-14T09:26:53.589793Z",
    "started_at": "2026-03-14T09:27:08.979323Z",
    "ready_at": "2026-03-14T09:27:54.789793Z",
    "waited_seconds": 61.2,
    "message": "Order 17 is ready.",
}
ORDERS: Final = {
    "orders": [
        {
            **ORDER,
            "status": "waiting",
            "position": 1,
            "eta_seconds": 45.81,
            "started_at": None,
            "ready_at": None,
            "waited_seconds": 15.39,
            "message": "Order 17 is number 1 in the queue.",
        }
    ]
}
QUEUE: Final = {
    "waiting": 1,
    "preparing": 9,
    "baristas": 10,
    "eta_seconds": 45.81,
    "accepting": True,
}
CLAIM: Final = {
    **TICKET,
    **WISH,
    "placed_at": ORDER["placed_at"],
    "waited_seconds": 15.39,
    "barista": "Bo",
    "lease_expires_at": "2026-03-14T09:30:08.979323Z",
    "waiting": 0,
}
FINISHED: Final = {**TICKET, "status": "ready", "brewed_seconds": 45.81, "collected": True}
RELEASED: Final = {**TICKET, "status": "waiting"}
