"""The staff stream: the events of the log that the caller's role may see.

Rule: one message for each event, in the log's order; an interrupted stream resumes after the last.
"""

from __future__ import annotations

from math import inf
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from cafe.events.log_reader import begin_behind
from cafe.events.requests import (
    CLOSES,
    LAST_ID,
    documented,
    has_credentials,
    refuse_when_closing,
)
from cafe.events.shown import event_json
from cafe.events.sse import last_position, message
from cafe.events.stream import MOST_SECONDS, EventStream, Streams
from cafe.http.authentication import Forbidden, Role, Staff
from cafe.http.plain_routes import PlainRoute
from cafe.http.refusals import Closing
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.ledger.department import Event, Logged
from cafe.ledger.view import LedgerView

Name = Literal[
    "menu", "accounts", "orders", "delivery", "payments", "bookings", "letters", "notifications"
]
Of = Annotated[
    list[Name],
    Query(max_length=8, description="Only events of these departments; by default, all you may."),
]
BARISTAS_SEE: Final = frozenset({"orders", "delivery", "menu"})
"""The departments whose events are for all staff; the others are for managers."""
STARTED: Final = Logged(
    4711,
    "orders",
    Event("5xnX1rrR3pTzvWGaRVBbcMUJ", "start", "waiting", "preparation", 1795000000.0, "Bo"),
)
ANSWERS: Final = {
    **documented(message(STARTED.department, STARTED.position, event_json(STARTED)).decode()),
    **CLOSES,
}


def staff_routes(ledger: LedgerView, streams: Streams, closing: Closing) -> APIRouter:
    """Return the route of the staff stream."""
    router = APIRouter(tags=["live"], responses=BARISTAS_ONLY, route_class=PlainRoute)

    @router.get(
        "/events",
        response_class=EventStream,
        responses=ANSWERS,
        openapi_extra={"parameters": [LAST_ID]},
    )
    async def events(
        request: Request,
        caller: Staff,
        of: Of = [],  # noqa: B006 - FastAPI's, which copies it
    ) -> Response:
        """Follow what happens, as server-sent events: each event of the log that you may see.

        A message is named after the department. `reset` means that the stream begins now, and not
        after `Last-Event-ID`: load what you show again.
        """
        refuse_when_closing(closing)
        departments = seen_by(caller.role, of)
        last = last_position(request.scope["headers"])
        reader = await begin_behind(ledger, last, departments)
        seconds = MOST_SECONDS if has_credentials(request.scope) else inf
        return EventStream(reader, streams, "worker", seconds)

    return router


def seen_by(role: Role, wanted: list[Name]) -> frozenset[str] | None:
    """Return the departments to show, None for all; raises Forbidden for a managers' department."""
    if role is Role.MANAGER:
        return frozenset(wanted) or None
    if not BARISTAS_SEE.issuperset(wanted):
        raise Forbidden(role, frozenset({Role.MANAGER}))
    return frozenset(wanted) or BARISTAS_SEE
