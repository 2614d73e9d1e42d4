"""The baristas' routes: start, finish, release, list.

Rule: HTTP into one ask of the desk, and its answer into HTTP.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request
from starlette.responses import Response

from actors import Ref
from cafe.http.app import problems
from cafe.http.authentication import STAFF_ONLY
from cafe.http.disconnect import unless_disconnected
from cafe.http.pages import LINKED, Cursor, link_headers
from cafe.http.plain_routes import PlainRoute
from cafe.http.refusals import CafeRefusal
from cafe.http.reply import NOTHING, answer
from cafe.http.request_fields import KEY_PATTERN, check_key
from cafe.http.schema import Id
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.limits.rate_limiter import RateLimiter
from cafe.orders.desk import Desk
from cafe.orders.messages import (
    MOST_LISTED,
    FinishOrder,
    ListOrders,
    ReleaseOrder,
    StartOrder,
)
from cafe.orders.requests import Limit, counting_misses
from cafe.orders.schemas import (
    CONFLICT,
    NO_SUCH_ORDER,
    ClaimOut,
    FinishedOut,
    Name,
    OrderIdIn,
    OrdersOut,
    ReleasedOut,
    claim_out,
    finished_out,
    listed_out,
    released_out,
)

Wait = Annotated[
    float,
    Query(ge=0, le=60, description="Seconds to hold the request until there is an order."),
]
BaristaName = Annotated[Name | None, Query()]
ClaimKey = Annotated[
    str | None,
    Header(
        description="The same key from the same address gets the same claim, while it holds.",
        json_schema_extra={"pattern": KEY_PATTERN},
    ),
]
IdInQuery = Annotated[Id | None, Query()]
IdInBody = Annotated[OrderIdIn | None, Body()]


class WhichOrder(CafeRefusal):
    """The request names no order, or several."""

    status = 422

    def __init__(self) -> None:
        super().__init__(
            'Name one order: as JSON {"order_id": ...}, as ?order_id=..., or in the path.'
        )


NO_LEDGER = problems(503, because="The member `reason` is `ledger`: nothing can be written down.")
NOTHING_TO_DO: dict[int | str, dict[str, Any]] = {
    204: {"description": "There is nothing to do."},
    **problems(400),
    **NO_LEDGER,
}
NAMING_ONE = {**problems(400, 408, 413), **NO_SUCH_ORDER, **CONFLICT, **NO_LEDGER}


def barista_routes(desk: Desk, limiter: Ref[RateLimiter]) -> APIRouter:
    """Return the routes that baristas use."""
    router = APIRouter(
        tags=["orders"],
        responses=BARISTAS_ONLY,
        route_class=PlainRoute,
        dependencies=STAFF_ONLY,
    )

    @router.post("/start/", response_model=ClaimOut, responses=NOTHING_TO_DO)
    @router.get("/start/", response_model=ClaimOut, responses=NOTHING_TO_DO)
    async def start(
        request: Request,
        wait: Wait = 0.0,
        barista: BaristaName = None,
        idempotency_key: ClaimKey = None,
    ) -> Response:
        """Claim the oldest waiting order; the same key gets the same claim, while it holds."""
        message = start_order(request, barista, idempotency_key)
        claim = await unless_disconnected(request, lambda: desk.start(message, wait))
        if claim is None:
            return NOTHING
        return answer(claim_out(claim))

    async def finish_one(request: Request, order_id: str) -> Response:
        finishing = partial(desk.finish, FinishOrder(order_id))
        return answer(finished_out(await counting_misses(request.scope, limiter, finishing)))

    async def release_one(request: Request, order_id: str) -> Response:
        releasing = partial(desk.release, ReleaseOrder(order_id))
        return answer(released_out(await counting_misses(request.scope, limiter, releasing)))

    @router.post("/finish/", response_model=FinishedOut, responses=NAMING_ONE)
    async def finish(
        request: Request, body: IdInBody = None, order_id: IdInQuery = None
    ) -> Response:
        """Declare a claimed order ready; repeating it does nothing."""
        return await finish_one(request, the_one_of(body, order_id))

    @router.post("/finish/{order_id}/", response_model=FinishedOut, responses=NAMING_ONE)
    async def finish_by_path(request: Request, order_id: str) -> Response:
        """Declare a claimed order ready; repeating it does nothing."""
        return await finish_one(request, the_one_in_path(request, order_id))

    @router.post("/release/", response_model=ReleasedOut, responses=NAMING_ONE)
    async def release(
        request: Request, body: IdInBody = None, order_id: IdInQuery = None
    ) -> Response:
        """Release a claimed order; it returns to its old place in the queue."""
        return await release_one(request, the_one_of(body, order_id))

    @router.post("/release/{order_id}/", response_model=ReleasedOut, responses=NAMING_ONE)
    async def release_by_path(request: Request, order_id: str) -> Response:
        """Release a claimed order; it returns to its old place in the queue."""
        return await release_one(request, the_one_in_path(request, order_id))

    @router.get("/orders", response_model=OrdersOut, responses=LINKED)
    async def orders(
        request: Request,
        barista: BaristaName = None,
        limit: Limit = MOST_LISTED,
        cursor: Cursor = None,
    ) -> Response:
        """List orders that wait or are in preparation, oldest first; or one barista's claims."""
        page = await desk.list(ListOrders(barista, cursor or 0, limit))
        behind = page.standings[-1].order.number if page.goes_on else None
        links = link_headers(request, "/orders", behind, limit=limit, barista=barista)
        return answer({"orders": [listed_out(one) for one in page.standings]}, headers=links)

    return router


def start_order(request: Request, barista: str | None, key: str | None) -> StartOrder:
    """Return the message for a barista's request; a key belongs to the peer's address.

    Raises MalformedKey.
    """
    if key is None:
        return StartOrder(barista)
    check_key(key)
    peer, _ = request.scope["client"] or ("", None)
    return StartOrder(barista, claim=f"{peer} {key}", keyed=True)


def the_one_of(body: OrderIdIn | None, in_query: str | None) -> str:
    """Return the one order id that is given; raises WhichOrder for none or two."""
    named = {in_query, None if body is None else body.order_id} - {None}
    if len(named) != 1:
        raise WhichOrder
    return str(named.pop())


def the_one_in_path(request: Request, order_id: str) -> str:
    """Return the order id in the path; raises WhichOrder if the query has one as well."""
    if "order_id" in request.query_params:
        raise WhichOrder
    return order_id
