"""The routes of baskets for customers: order and pay, look, list, cancel.

Rule: routes only translate between HTTP and the till. Another customer's order is unknown.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import Response

from actors import Ref
from cafe.http.app import problems
from cafe.http.authentication import Caller, Customer, CustomerOrStaff, Role
from cafe.http.disconnect import unless_disconnected
from cafe.http.pages import LINKED, Cursor, link_headers
from cafe.http.plain_routes import PlainRoute
from cafe.http.refusals import CafeRefusal
from cafe.http.reply import DISCONNECTED, answer
from cafe.http.request_fields import KEY_PATTERN, Prefer, check_key, preferred_wait
from cafe.http.schema import QueryInteger
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import Allowance, LimitExceeded, RateLimiter, RecordRefusals
from cafe.orders.messages import (
    CancelOrder,
    OrderConflict,
    PlacedQuery,
    Standing,
    UnknownOrder,
)
from cafe.orders.messages import Status as OrderStatus
from cafe.payments.pages import MOST_LISTED, ByStatus, Limit, list_orders
from cafe.payments.refusals import PaymentRefused, WrongTotal
from cafe.payments.schemas import (
    OURS,
    BasketIn,
    EventsOut,
    Shown,
    events_out,
    wish_of,
)
from cafe.payments.till import Till

Key = Annotated[
    str | None,
    Header(
        description="The same key from the same account never orders or charges twice.",
        json_schema_extra={"pattern": KEY_PATTERN},
    ),
]
OrderId = Annotated[str, Path(description="As the order's answer tells it.")]
After = Annotated[QueryInteger, Query(ge=0, description="Only events behind this position.")]

CREATED: Final[dict[str, Any]] = {
    "description": "Paid and queued.",
    "headers": {
        "Location": {"schema": {"type": "string"}, "description": "Where the order stands."},
        "Preference-Applied": {"schema": {"type": "string"}},
    },
}
NOT_ORDERED: Final[dict[int | str, dict[str, Any]]] = {
    **problems(400, 401, 403, 408, 413),
    **problems(
        402, because="The payment was refused; nothing was charged.", refusal=PaymentRefused()
    ),
    **problems(
        409,
        because="The total is another one, which the member `total_cents` has; or the first "
        "request with this key is still running.",
        refusal=WrongTotal(860),
    ),
    **problems(
        503,
        because="The member `reason` says why: `payment` (nothing was charged), `payment_pending` "
        "(not known yet), `not_placed` (it is refunded), `paused`, `queue_full`, `closing` "
        "or `ledger`.",
    ),
}
CONFLICT: Final = problems(
    409,
    because="The order no longer waits; the member `order_status` says where it stands.",
    refusal=OrderConflict(OrderStatus.READY, "cancelled"),
)
LIMITED: Final = problems(
    429, because="This address is over its limit; the member `limit` says over which."
)


def customer_routes(till: Till, limiter: Ref[RateLimiter]) -> APIRouter:
    """Return the routes that customers use."""
    router = APIRouter(tags=["baskets"], responses=LIMITED, route_class=PlainRoute)
    add_ordering(router, till, limiter)
    add_looking(router, till, limiter)
    return router


def add_ordering(
    router: APIRouter, till: Till, limiter: Ref[RateLimiter], shown: Shown = OURS
) -> None:
    """Add the route by which customers order and pay."""
    answers = {
        200: {"model": shown.schema, "description": "It was ordered with this key before."},
        201: CREATED,
        **NOT_ORDERED,
    }

    @router.post("/orders", status_code=201, response_model=shown.schema, responses=answers)
    async def order(
        request: Request,
        caller: Customer,
        basket: BasketIn,
        prefer: Prefer = None,
        idempotency_key: Key = None,
    ) -> Response:
        """Order a basket and pay for it; answers when it is paid and queued."""
        hold, applied = preferred_wait(prefer, otherwise=0.0)
        if idempotency_key is not None:
            check_key(idempotency_key)
        state = request.scope["state"]
        allowance: Allowance = state["allowance"]
        wish = wish_of(
            basket, account_of(caller), state["address"], allowance.waiting, idempotency_key
        )
        try:
            ordered = await till.order(wish)
        except CafeRefusal as no:
            raise await told_limiter(no, wish.address, wish.max_waiting, limiter) from None
        placed = ordered.standing.order
        if hold > 0 and not placed.ended:
            waiting = partial(till.desk.find, placed.order_id, hold)
            standing = await unless_disconnected(request, waiting)
            if standing is None:
                return DISCONNECTED
            ordered = ordered._replace(standing=standing)
        headers = {} if applied is None else {"Preference-Applied": applied}
        if not ordered.is_new:
            return answer(shown.order(till.desk, ordered), 200, headers)
        prefix = request.scope.get("root_path", "") + router.prefix
        headers["Location"] = f"{prefix}/orders/{placed.order_id}"
        return answer(shown.order(till.desk, ordered), 201, headers)


def add_looking(
    router: APIRouter, till: Till, limiter: Ref[RateLimiter], shown: Shown = OURS
) -> None:
    """Add the routes by which customers look at their orders, and cancel them."""

    @router.get(
        "/orders", response_model=shown.list_schema, responses={**LINKED, **problems(401, 503)}
    )
    async def orders(
        request: Request,
        caller: Customer,
        status: ByStatus = None,
        limit: Limit = MOST_LISTED,
        cursor: Cursor = None,
    ) -> Response:
        """List your orders, the newest first."""
        statuses = () if status is None else (status,)
        page = await list_orders(till, PlacedQuery(account_of(caller), statuses, cursor, limit))
        path = f"{router.prefix}/orders"
        links = link_headers(request, path, page.behind, status=status, limit=limit)
        return answer(shown.orders(till.desk, page.orders), headers=links)

    @router.get(
        "/orders/{order_id}", response_model=shown.schema, responses=problems(401, 403, 404, 503)
    )
    async def look(
        request: Request, caller: CustomerOrStaff, order_id: OrderId, prefer: Prefer = None
    ) -> Response:
        """Show an order; with `Prefer: wait=N` once it is ready or N seconds have passed."""
        await own_order(request, till, limiter, caller, order_id)
        return await shown_order(request, till, order_id, prefer, shown)

    @router.delete(
        "/orders/{order_id}",
        response_model=shown.schema,
        responses={**problems(401, 403, 404, 503), **CONFLICT},
    )
    async def cancel(request: Request, caller: Customer, order_id: OrderId) -> Response:
        """Cancel your order while it waits; what was charged is refunded."""
        await own_order(request, till, limiter, caller, order_id)
        await till.desk.cancel(CancelOrder(order_id))
        return answer(shown.order(till.desk, await till.find(order_id)))

    @router.get(
        "/orders/{order_id}/events",
        response_model=EventsOut,
        responses=problems(401, 403, 404, 503),
    )
    async def events(
        request: Request, caller: CustomerOrStaff, order_id: OrderId, after: After = 0
    ) -> Response:
        """Show what has happened to an order, the oldest first, at most 500 events."""
        await own_order(request, till, limiter, caller, order_id)
        return await shown_events(till, order_id, after)


async def shown_order(
    request: Request, till: Till, order_id: str, prefer: list[str] | None, shown: Shown = OURS
) -> Response:
    """Return the answer that shows an order, now or once it is ready."""
    hold, applied = preferred_wait(prefer, otherwise=0.0)
    looking = partial(till.find, order_id, hold)
    ordered = await unless_disconnected(request, looking, waits=hold > 0)
    if ordered is None:
        return DISCONNECTED
    headers = {} if applied is None else {"Preference-Applied": applied}
    return answer(shown.order(till.desk, ordered), headers=headers)


async def shown_events(till: Till, order_id: str, after: int) -> Response:
    """Return the answer with an order's events after a position."""
    return answer(events_out(await till.desk.history(order_id, after)))


def account_of(caller: Caller) -> str:
    """Return the account of a customer, who always has one."""
    return caller.account_id or ""


async def own_order(
    request: Request, till: Till, limiter: Ref[RateLimiter], caller: Caller, order_id: str
) -> Standing:
    """Return an order that the caller may see; raises UnknownOrder, and counts that."""
    try:
        return seen_by(caller, await till.desk.find(order_id))
    except UnknownOrder:
        await count_refusal(limiter, "unknown", request.scope)
        raise


def seen_by(caller: Caller, standing: Standing) -> Standing:
    """Return an order; raises UnknownOrder if a customer may not see it."""
    basket = standing.order.basket
    is_own = basket is not None and basket.account_id == caller.account_id
    if caller.role is Role.CUSTOMER and not is_own:
        raise UnknownOrder
    return standing


async def told_limiter(
    no: CafeRefusal, address: str, max_waiting: int, limiter: Ref[RateLimiter]
) -> CafeRefusal:
    """Return the refusal for the customer; too many waiting orders count with the RateLimiter."""
    if no.problem_members().get("limit") != "waiting":
        return no
    await limiter.tell(RecordRefusals(((address, 1),), "waiting"))
    return LimitExceeded("waiting", retry_after=no.retry_after or 0.0, quota=max_waiting)
