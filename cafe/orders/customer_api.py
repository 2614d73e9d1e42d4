"""The customers' routes: order, look, cancel.

Rule: HTTP into asks of the desk, and their answers into HTTP. When a customer hangs up, the ask is
cancelled, and the Dispatcher handles that at once.
"""

from __future__ import annotations

from functools import partial
from math import inf
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Request
from starlette.responses import Response

from actors import Ref
from cafe.http.app import BODY, problems
from cafe.http.disconnect import if_undelivered, unless_disconnected
from cafe.http.plain_routes import PlainRoute
from cafe.http.refusals import CafeRefusal
from cafe.http.reply import DISCONNECTED, answer
from cafe.http.request_fields import KEY_PATTERN, Prefer, check_key, preferred_wait
from cafe.limits.rate_limiter import (
    Admit,
    Allowance,
    LimitExceeded,
    RateLimiter,
    RecordRefusals,
)
from cafe.menu.messages import Board, Menu
from cafe.orders.desk import Desk
from cafe.orders.messages import CancelOrder, PlaceOrder, Standing
from cafe.orders.refusals import (
    ForgottenOrder,
    NotOnTheMenu,
    OverLimit,
    TooManyWaiting,
    UnknownOrder,
)
from cafe.orders.requests import counting_misses
from cafe.orders.schemas import (
    CONFLICT,
    NO_SUCH_ORDER,
    WAITING,
    OrderIn,
    OrderOut,
    QueueOut,
    order_out,
    queue_out,
)

Key = Annotated[
    str | None,
    Header(
        description="The same key from the same address never orders twice.",
        json_schema_extra={"pattern": KEY_PATTERN},
    ),
]
OrderId = Annotated[str, Path(description="As the order's answer tells it.")]

ACCEPTED: dict[str, Any] = {
    "model": OrderOut,
    "description": "Not ready within the preferred wait; it can be collected later.",
    "content": {"application/json": {"example": WAITING}},
    "headers": {
        "Location": {"schema": {"type": "string"}, "description": "Where the order stands."},
        "Preference-Applied": {"schema": {"type": "string"}},
    },
}
LIMITED = problems(
    429,
    because="This address is over its limit; the member `limit` says over which:"
    " `requests`, `waiting` or `banned`.",
)
UNAVAILABLE = problems(
    503,
    because="The member `reason` says why: `paused`, `queue_full`, `closing` or `ledger`. With"
    " `paused` come `until` and `text`.",
)


def customer_routes(desk: Desk, limiter: Ref[RateLimiter], board: Board) -> APIRouter:
    """Return the routes that customers use."""
    router = APIRouter(tags=["orders"], responses=LIMITED, route_class=PlainRoute)

    @router.post(
        "/order/",
        response_model=OrderOut,
        responses={202: ACCEPTED, **BODY, **CONFLICT, **UNAVAILABLE},
    )
    async def order(
        request: Request,
        wish: Annotated[OrderIn | None, Body()] = None,
        prefer: Prefer = None,
        idempotency_key: Key = None,
    ) -> Response:
        """Order a coffee, and wait until it is ready.

        What is not on the menu, or sold out, is a 422; its member `menu` lists what there is.
        """
        hold, applied = preferred_wait(prefer, otherwise=inf)
        if idempotency_key is not None:
            check_key(idempotency_key)
        wish = wish or OrderIn()
        drink, is_sold = wanted(wish.drink, board.menu, idempotency_key)
        allowance: Allowance = request.scope["state"]["allowance"]
        message = PlaceOrder(
            order_id=desk.ids.new(),
            drink=drink,
            name=wish.name,
            address=request.scope["state"]["address"],
            max_waiting=allowance.waiting,
            key=idempotency_key,
            bound=hold > 0,
            # It may have sold out since it was ordered with this key: then place nothing new.
            held_by=None if is_sold else "",
        )
        placing = partial(place, message, hold, desk, board.menu)
        try:
            standing = await unless_disconnected(request, placing, waits=hold > 0)
        except OverLimit as no:
            raise await report_refusal(no, message.address, limiter) from None
        if standing is None:
            return DISCONNECTED
        if standing.order.ended or applied is None:
            return answer(order_out(standing))
        return accepted(standing, applied, request, desk)

    @router.get(
        "/order/{order_id}", response_model=OrderOut, responses={**NO_SUCH_ORDER, **UNAVAILABLE}
    )
    async def look(request: Request, order_id: OrderId, prefer: Prefer = None) -> Response:
        """Show one order; with `Prefer: wait=N` once it is ready or N seconds have passed."""
        hold, applied = preferred_wait(prefer, otherwise=0.0)
        finding = partial(find_plain, desk, order_id, hold)
        looking = partial(counting_misses, request.scope, limiter, finding)
        standing = await unless_disconnected(request, looking, waits=hold > 0)
        if standing is None:
            return DISCONNECTED
        headers = {} if applied is None else {"Preference-Applied": applied}
        return answer(order_out(standing), headers=headers)

    @router.delete(
        "/order/{order_id}",
        response_model=OrderOut,
        responses={**NO_SUCH_ORDER, **CONFLICT, **UNAVAILABLE},
    )
    async def cancel(request: Request, order_id: OrderId) -> Response:
        """Cancel an order while it waits."""
        cancelling = partial(cancel_plain, desk, order_id)
        return answer(order_out(await counting_misses(request.scope, limiter, cancelling)))

    @router.get("/queue", response_model=QueueOut)
    async def queue() -> Response:
        """Show how busy the shop is."""
        return answer(queue_out(await desk.count()))

    return router


def wanted(drink: str, menu: Menu, key: str | None) -> tuple[str, bool]:
    """Return a drink as orders name it, and whether it is sold at the moment.

    Raises NotOnTheMenu if it is not and there is no key: with one, it may be ordered already.
    """
    product = menu.find(drink)
    if product is not None and not product.sold_out:
        return product.name.lower(), True
    if key is None:
        raise NotOnTheMenu(menu.names())
    return (drink if product is None else product.name).lower(), False


async def place(message: PlaceOrder, hold: float, desk: Desk, menu: Menu) -> Standing:
    """Place an order at the desk; raises NotOnTheMenu for a new order of what is not sold."""
    try:
        return await desk.place(message, hold)
    except ForgottenOrder:
        raise NotOnTheMenu(menu.names()) from None


async def find_plain(desk: Desk, order_id: str, hold: float = 0.0) -> Standing:
    """Find an order as `Desk.find` does; raises UnknownOrder for a basket's: it has an owner."""
    standing = await desk.find(order_id)
    if standing.order.basket is not None:
        raise UnknownOrder
    if hold <= 0 or standing.order.ended:
        return standing
    return await desk.find(order_id, hold)


async def cancel_plain(desk: Desk, order_id: str) -> Standing:
    """Cancel an order as `Desk.cancel` does, unless it is one of a basket."""
    await find_plain(desk, order_id)
    return await desk.cancel(CancelOrder(order_id))


def accepted(standing: Standing, applied: str, request: Request, desk: Desk) -> Response:
    """Return the 202 with the order's location; cancel the order if it is not delivered."""
    order = standing.order
    if order.key is None:  # else the customer can repeat the request
        if_undelivered(request.scope, partial(desk.hang_up, order.order_id))
    location = f"{request.scope.get('root_path', '')}/order/{order.order_id}"
    headers = {"Location": location, "Preference-Applied": applied}
    return answer(order_out(standing), 202, headers)


async def report_refusal(no: OverLimit, address: str, limiter: Ref[RateLimiter]) -> CafeRefusal:
    """Report a refusal by the Dispatcher to the RateLimiter; return the customer's refusal.

    Raises LimitExceeded, as the RateLimiter does, for a banned address.
    """
    if not isinstance(no, TooManyWaiting):
        await limiter.ask(Admit(address))
        return no
    await limiter.tell(RecordRefusals(((address, 1),), "waiting"))
    return LimitExceeded("waiting", retry_after=no.retry_after or 0.0, quota=no.most)
