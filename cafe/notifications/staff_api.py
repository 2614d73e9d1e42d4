"""Managers' routes: list notifications, and have one attempted again.

Rule: HTTP into one ask of the desk, and its answer into HTTP.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from cafe.http.app import problems
from cafe.http.authentication import Manager
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.http.request_fields import Cursor, written_cursor
from cafe.http.schema import Id
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.notifications.desk import NotificationDesk
from cafe.notifications.notification import State
from cafe.notifications.queries import Page, Wanted
from cafe.notifications.refusals import UnknownNotification
from cafe.notifications.schemas import NotificationOut, NotificationsOut, notifications_out

MOST_LISTED: Final = 500
LINK: Final = '`<...>; rel="next"` leads to the next page; none on the last one.'
LINKED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": {"Link": {"schema": {"type": "string"}, "description": LINK}}}
}
MANAGERS_ONLY: Final = {**BARISTAS_ONLY, **problems(503)}
NOT_RETRIED: Final = problems(
    409, because="It is delivered, or held: the member `notification_state` says which."
)

OrderId = Annotated[Id | None, Query(description="Only those of this order.")]
InState = Annotated[State | None, Query(description="Only those in this state.")]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many, at most.")]


def manager_routes(desk: NotificationDesk) -> APIRouter:
    """Return the routes for managers."""
    router = APIRouter(tags=["notifications"], responses=MANAGERS_ONLY, route_class=PlainRoute)

    @router.get("/admin/notifications", response_model=NotificationsOut, responses=LINKED)
    async def notifications(
        request: Request,
        _manager: Manager,
        order_id: OrderId = None,
        state: InState = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Response:
        """List notifications, the newest first."""
        wanted = Wanted(order_id, state, cursor, limit)
        page = await desk.list(wanted)
        links = link_headers(page, request.scope.get("root_path", ""), wanted)
        return answer({"notifications": notifications_out(page)}, headers=links)

    @router.post(
        "/admin/notifications/{event_id}/retry",
        response_model=NotificationOut,
        responses={**problems(404), **NOT_RETRIED},
    )
    async def retry(event_id: str, _manager: Manager) -> Response:
        """Attempt a notification at once, and again by the whole schedule if that fails."""
        if not event_id.isprintable():
            raise UnknownNotification  # no database could look it up
        (shown,) = notifications_out(await desk.retry(event_id))
        return answer(shown)

    return router


def link_headers(page: Page, prefix: str, wanted: Wanted) -> dict[str, str]:
    """Return the `Link` header to the next page (RFC 8288); empty on the last page."""
    if not page.goes_on:
        return {}
    query = {"limit": str(wanted.most), "cursor": written_cursor(page.notifications[-1].position)}
    if wanted.order_id is not None:
        query["order_id"] = wanted.order_id
    if wanted.state is not None:
        query["state"] = wanted.state.value
    return {"Link": f'<{prefix}/admin/notifications?{urlencode(query)}>; rel="next"'}
