"""The data of stream messages, as JSON: the board, an order, an event of the log.

Rule: values in, bytes out.
"""

from __future__ import annotations

from typing import Any

from cafe.events.sse import to_json
from cafe.ledger.department import Logged
from cafe.orders.messages import Pause, QueueCount, Standing
from cafe.orders.ready_board import Cup, Shown
from cafe.orders.schemas import order_out


def board_json(shown: Shown, count: QueueCount) -> bytes:
    """Return the board."""
    eta = count.eta_seconds
    return to_json(
        {
            "preparing": [{"number": cup.number, "name": cup.name} for cup in shown.preparing],
            "ready": list(map(_ready, shown.ready)),
            "waiting": count.waiting,
            "preparing_count": count.preparing,
            "eta_seconds": None if eta is None else round(eta, 1),
            "accepting": count.accepting,
            "paused": _paused(count.paused),
        }
    )


def _ready(cup: Cup) -> dict[str, Any]:
    return {"number": cup.number, "name": cup.name, "at": round(cup.ready_at or 0.0, 3)}


def _paused(pause: Pause | None) -> dict[str, Any] | None:
    return None if pause is None else {"until": pause.shown_until, "text": pause.text}


def order_json(standing: Standing) -> bytes:
    """Return an order, with the members of `GET /order/{order_id}`."""
    return to_json(order_out(standing))


def standing_key(standing: Standing) -> tuple[object, ...]:
    """Return the part of a standing whose change makes it a new state.

    The time that has passed is not part of it: a page counts that itself.
    """
    eta = standing.eta_seconds if standing.position is not None else None
    return standing.order, standing.position, None if eta is None else round(eta)


def event_json(logged: Logged) -> bytes:
    """Return an event of the log, without its data, which departments write for each other."""
    event = logged.event
    return to_json(
        {
            "subject": event.subject,
            "action": event.action,
            "before": event.before,
            "after": event.after,
            "at": event.at,
            "by": event.by,
            "reason": event.reason,
        }
    )
