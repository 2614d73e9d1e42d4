"""Managers' routes: list notifications, and retry one.

Rule: routes only translate between HTTP and the desk.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from cafe.http.app import problems
from cafe.http.authentication import Manager
from cafe.http.pages import LINKED, Cursor, link_headers
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.http.schema import Id
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.notifications.desk import NotificationDesk
from cafe.notifications.notification import State
from cafe.notifications.queries import Wanted
from cafe.notifications.refusals import NothingToRetry, UnknownNotification
from cafe.notifications.schemas import NotificationOut, NotificationsOut, notifications_out

MOST_LISTED: Final = 500
MANAGERS_ONLY: Final = {**BARISTAS_ONLY, **problems(503)}
NOT_RETRIED: Final = problems(
    409,
    because="It is delivered, or held: the member `notification_state` says which.",
    refusal=NothingToRetry(State.DELIVERED),
)

OrderId = Annotated[Id | None, Query(description="Only those of this order.")]
BookingId = Annotated[Id | None, Query(description="Only those of this booking.")]
InState = Annotated[State | None, Query(description="Only those in this state.")]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many, at most.")]


def manager_routes(desk: NotificationDesk) -> APIRouter:
    """Return the routes for managers."""
    router = APIRouter(tags=["notifications"], responses=MANAGERS_ONLY, route_class=PlainRoute)

    @router.get("/admin/notifications", response_model=NotificationsOut, responses=LINKED)
    async def notifications(
        request: Request,
        _manager: Manager,
        *,
        order_id: OrderId = None,
        booking_id: BookingId = None,
        state: InState = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Response:
        """List notifications, the newest first."""
        page = await desk.list(Wanted(order_id, booking_id, state, cursor, limit))
        behind = page.notifications[-1].position if page.goes_on else None
        links = link_headers(
            request,
            "/admin/notifications",
            behind,
            limit=limit,
            order_id=order_id,
            booking_id=booking_id,
            state=state,
        )
        return answer({"notifications": notifications_out(page)}, headers=links)

    @router.post(
        "/admin/notifications/{event_id}/retry",
        response_model=NotificationOut,
        responses={**problems(404, refusal=UnknownNotification()), **NOT_RETRIED},
    )
    async def retry(event_id: str, _manager: Manager) -> Response:
        """Attempt a notification at once, and again by the whole schedule if that fails."""
        if not event_id.isprintable():
            raise UnknownNotification  # no database could look it up
        (shown,) = notifications_out(await desk.retry(event_id))
        return answer(shown)

    return router
