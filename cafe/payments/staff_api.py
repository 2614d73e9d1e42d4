"""The routes of baskets for staff: move an order one status on, list all with their payments.

Rule: routes only translate between HTTP and the till.
"""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from actors import Ref
from cafe.http.app import problems
from cafe.http.authentication import Manager, Staff
from cafe.http.pages import LINKED, Cursor, link_headers
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.http.request_fields import Prefer
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import RateLimiter
from cafe.orders.messages import (
    CancelOrder,
    MoveOrder,
    PlacedQuery,
    Standing,
    UnknownOrder,
    WrongStep,
)
from cafe.orders.messages import Status as OrderStatus
from cafe.payments.customer_api import (
    CONFLICT,
    After,
    OrderId,
    own_order,
    shown_events,
    shown_order,
)
from cafe.payments.pages import (
    MOST_LISTED,
    ByPayment,
    ByStatus,
    Limit,
    list_orders,
    list_paid,
)
from cafe.payments.schemas import OURS, EventsOut, Shown, StatusIn
from cafe.payments.till import Till

MOVED = problems(
    400,
    because="Staff move an order one status on, and no other way: `order_status` says where it "
    "stands, and `allowed` lists where it can go.",
)
BROUGHT = problems(409, because="It is ready, and a courier brings it.")


def staff_routes(till: Till, limiter: Ref[RateLimiter]) -> APIRouter:
    """Return the routes of baskets that staff use."""
    router = APIRouter(tags=["baskets"], responses=BARISTAS_ONLY, route_class=PlainRoute)
    add_moving(router, till, limiter)
    add_looking(router, till, limiter)
    add_cancelling(router, till, limiter)
    add_listing(router, till)
    return router


def add_moving(
    router: APIRouter, till: Till, limiter: Ref[RateLimiter], shown: Shown = OURS
) -> None:
    """Add the route by which staff move an order."""

    @router.patch(
        "/orders/{order_id}/status",
        response_model=shown.schema,
        responses={**problems(401, 403, 404, 408, 413, 503), **MOVED, **BROUGHT},
    )
    async def move(
        request: Request, caller: Staff, order_id: OrderId, wanted: StatusIn
    ) -> Response:
        """Move an order one status on: waiting, preparation, ready, delivered.

        What a courier brings is delivered by its courier only.
        """
        try:
            standing = await moved(till, order_id, wanted.status, caller.name)
        except UnknownOrder:
            await count_refusal(limiter, "unknown", request.scope)
            raise
        (ordered,) = await till.with_payments([standing])
        return answer(shown.order(till.desk, ordered))


def add_looking(router: APIRouter, till: Till, limiter: Ref[RateLimiter]) -> None:
    """Add the routes by which staff look at an order, as the customers' app shows it to them."""

    @router.get(
        "/orders/{order_id}", response_model=OURS.schema, responses=problems(401, 403, 404, 503)
    )
    async def look(
        request: Request, caller: Staff, order_id: OrderId, prefer: Prefer = None
    ) -> Response:
        """Show an order; with `Prefer: wait=N` once it is ready or N seconds have passed."""
        await own_order(request, till, limiter, caller, order_id)
        return await shown_order(request, till, order_id, prefer)

    @router.get(
        "/orders/{order_id}/events",
        response_model=EventsOut,
        responses=problems(401, 403, 404, 503),
    )
    async def events(
        request: Request, caller: Staff, order_id: OrderId, after: After = 0
    ) -> Response:
        """Show what has happened to an order, the oldest first, at most 500 events."""
        await own_order(request, till, limiter, caller, order_id)
        return await shown_events(till, order_id, after)


def add_cancelling(router: APIRouter, till: Till, limiter: Ref[RateLimiter]) -> None:
    """Add the route by which managers cancel an order, as its customer can."""

    @router.delete(
        "/orders/{order_id}",
        response_model=OURS.schema,
        responses={**problems(401, 403, 404, 503), **CONFLICT},
    )
    async def cancel(request: Request, caller: Manager, order_id: OrderId) -> Response:
        """Cancel an order while it waits; what was charged is refunded."""
        await own_order(request, till, limiter, caller, order_id)
        await till.desk.cancel(CancelOrder(order_id, caller.name))
        return answer(OURS.order(till.desk, await till.find(order_id)))


def add_listing(router: APIRouter, till: Till, shown: Shown = OURS) -> None:
    """Add the route by which managers list orders."""

    @router.get(
        "/admin/orders",
        response_model=shown.list_schema,
        responses={**LINKED, **problems(401, 403, 503)},
    )
    async def orders(  # noqa: PLR0917 - independent parts of a query
        request: Request,
        caller: Manager,  # noqa: ARG001 - it has to be one
        status: ByStatus = None,
        payment: ByPayment = None,
        limit: Limit = MOST_LISTED,
        cursor: Cursor = None,
    ) -> Response:
        """List the orders of all baskets, the newest first."""
        if payment is None:
            statuses = () if status is None else (status,)
            listing = partial(list_orders, till, PlacedQuery(None, statuses, cursor, limit))
        else:
            listing = partial(list_paid, till, payment, status, cursor, limit)
        page = await listing()
        path = f"{router.prefix}/admin/orders"
        links = link_headers(
            request, path, page.behind, status=status, payment=payment, limit=limit
        )
        return answer(shown.orders(till.desk, page.orders), headers=links)


async def moved(till: Till, order_id: str, status: str, by: str | None) -> Standing:
    """Move an order; raises WrongStep for any status but the next, and for an unknown one."""
    if status not in set(OrderStatus):
        raise WrongStep((await till.desk.find(order_id)).order.status)
    return await till.desk.move(MoveOrder(order_id, OrderStatus(status), by))
