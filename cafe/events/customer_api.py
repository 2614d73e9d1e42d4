"""The customers' stream: the board, and the standing of some orders.

Rule: only a caller who may see an order can follow it; to others it is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import inf
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from actors import Ref
from cafe.events.requests import (
    CLOSES,
    LAST_ID,
    documented,
    has_credentials,
    refuse_when_closing,
)
from cafe.events.sse import last_position, message, to_json
from cafe.events.states import StateReader, States
from cafe.events.stream import MOST_SECONDS, EventStream, Streams
from cafe.http.app import problems
from cafe.http.authentication import STAFF, Caller, Role
from cafe.http.plain_routes import PlainRoute
from cafe.http.refusals import Closing
from cafe.http.schema import Id
from cafe.limits.rate_limiter import RateLimiter
from cafe.orders.desk import Desk
from cafe.orders.messages import Standing, UnknownOrder
from cafe.orders.requests import counting_misses

MOST_ORDERS: Final = 5
Orders = Annotated[
    list[Id], Query(max_length=MOST_ORDERS, description="Orders to follow beside the board.")
]
BOARD: Final[dict[str, Any]] = {
    "preparing": [{"number": 17, "name": "Ada"}],
    "ready": [{"number": 16, "name": None, "at": 1795000000.0}],
    "waiting": 3,
    "preparing_count": 1,
    "eta_seconds": 45.8,
    "accepting": True,
    "paused": None,
}
ANSWERS: Final = {
    **documented(message("board", 4711, to_json(BOARD)).decode()),
    **problems(401),
    **problems(404, because="There is no such order for you.", refusal=UnknownOrder()),
    **problems(429, because="This address is over its limit; the member `limit` says over which."),
    **CLOSES,
}


def customer_routes(
    states: States, streams: Streams, desk: Desk, limiter: Ref[RateLimiter], closing: Closing
) -> APIRouter:
    """Return the route of the customers' stream."""
    router = APIRouter(tags=["live"], route_class=PlainRoute)

    @router.get(
        "/events",
        response_class=EventStream,
        responses=ANSWERS,
        openapi_extra={"parameters": [LAST_ID]},
    )
    async def events(request: Request, order: Orders = []) -> Response:  # noqa: B006 - FastAPI's
        """Follow the board, and where some orders stand, as server-sent events.

        Each is a whole state, sent when it has changed, and at most every 0.75 seconds: `board`;
        `order` with the members of `GET /order/{order_id}`; `gone` for an order that was
        pruned; and `hand` for a courier who is signed in, when `GET /courier/me` or
        `GET /courier/me/order` has something new.
        """
        refuse_when_closing(closing)
        caller: Caller | None = await request.app.state.authenticate(request.scope)
        order_ids = tuple(dict.fromkeys(order))
        account_id = None
        if caller is not None and caller.role is Role.COURIER:
            account_id = caller.account_id
        reader = StateReader(states, order_ids, account_id)
        try:
            finding = partial(find_all, desk, order_ids, caller)
            standings = await counting_misses(request.scope, limiter, finding)
        except BaseException:
            reader.close()
            raise
        reader.begin(standings, last_position(request.scope["headers"]))
        seconds = MOST_SECONDS if has_credentials(request.scope) else inf
        return EventStream(reader, streams, "client", seconds)

    return router


async def find_all(desk: Desk, order_ids: Sequence[str], caller: Caller | None) -> list[Standing]:
    """Return the standings of orders; raises UnknownOrder if the caller may not see all of them."""
    standings = [await desk.find(order_id) for order_id in order_ids]
    if not all(may_see(caller, one) for one in standings):
        raise UnknownOrder
    return standings


def may_see(caller: Caller | None, standing: Standing) -> bool:
    """Return whether a caller may see an order: the id is enough, unless it has an owner."""
    basket = standing.order.basket
    if basket is None:
        return True
    return caller is not None and (caller.role in STAFF or caller.account_id == basket.account_id)
