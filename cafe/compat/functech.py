"""The API of functech: accounts, and orders with a status that moves on by itself.

Rule: routes only translate between HTTP and a desk; `functech_schemas` has the schemas.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Query, Request
from starlette.responses import Response

from cafe.accounts.customer_api import (
    NO_LEDGER,
    TRIED,
    WRONG,
    address_of,
    counting_wrong,
    form_routes,
    signed_in,
)
from cafe.accounts.schemas import TokenPairOut, token_pair_out
from cafe.accounts.tokens import LONGEST
from cafe.compat.desks import Desks
from cafe.compat.fields import either
from cafe.compat.functech_schemas import (
    DONE,
    DoneOut,
    FunctechStatus,
    MeOut,
    NewOrderIn,
    NewOrderOut,
    NewUserIn,
    NewUserOut,
    OrderOut,
    RefreshTokenIn,
    UpdateIn,
    order_out,
    wanted_items,
)
from cafe.http.app import BODY, problems
from cafe.http.authentication import (
    STAFF,
    Anyone,
    Caller,
    Customer,
    CustomerOrStaff,
    Forbidden,
    Role,
    Staff,
)
from cafe.http.other_apis import LooseRoute
from cafe.http.pages import LINKED, Cursor, link_headers
from cafe.http.refusals import CafeRefusal
from cafe.http.reply import answer
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import Allowance
from cafe.offer import OtherApi
from cafe.orders.messages import CancelOrder, MoveOrder, PlacedQuery, Status, UnknownOrder
from cafe.payments.customer_api import LIMITED, OrderId, account_of, own_order, told_limiter
from cafe.payments.pages import MOST_LISTED, Limit
from cafe.payments.pricing import fingerprint
from cafe.payments.till import Till, Wish

DESCRIPTION: Final = """
Clients of functech change their base URL to this one and nothing else.

An order is `PENDING` while it waits, `PAID` in preparation, `SHIPPED` once it is ready, and
`CANCELED`. Staff move it on; with `CAFE_AUTOPILOT` it moves on by itself.
"""
RefreshToken = Annotated[str | None, Query(max_length=LONGEST)]
UserId = Annotated[
    str, Path(max_length=64, pattern="^[A-Za-z0-9_-]+$", description="As `/auth/me` tells it.")
]
ORDERED: Final[dict[int | str, dict[str, Any]]] = {
    201: {
        "model": NewOrderOut,
        "description": "Ordered, and paid where there is a payment provider.",
        "headers": {
            "Location": {"schema": {"type": "string"}, "description": "Where the order stands."}
        },
    },
    **BODY,
    **problems(402, because="The payment was refused; nothing was charged."),
    **problems(409, because="The total is another one, which the member `total_cents` has."),
    **problems(
        503,
        because="The member `reason` says why: `payment` (nothing was charged), `payment_pending` "
        "(not known yet), `not_placed` (it is refunded), `paused`, `queue_full`, `closing` "
        "or `ledger`.",
    ),
}
UPDATED: Final[dict[int | str, dict[str, Any]]] = {
    **problems(404, 503),
    **BODY,
    **problems(
        400,
        because="It is no JSON; or the order stands elsewhere: `order_status` says where, and "
        "`allowed` where it can go.",
    ),
    **problems(
        409,
        because="It is ready and a courier brings it; or it no longer waits, and so cannot be "
        "cancelled: `order_status` says where it stands.",
    ),
}


def functech(desks: Desks, prefix: str) -> OtherApi:
    """Return the API of functech."""
    return OtherApi(
        prefix=prefix,
        title="functech",
        description=DESCRIPTION,
        customer_routes=(
            account_routes(desks),
            form_routes(desks.accounts, desks.limiter),
            ordering_routes(desks),
            order_routes(desks),
        ),
    )


def account_routes(desks: Desks) -> APIRouter:
    """Return the routes of accounts, except the one with a form."""
    desk, limiter = desks.accounts, desks.limiter
    router = APIRouter(tags=["accounts"], responses={**TRIED, **NO_LEDGER}, route_class=LooseRoute)

    @router.post(
        "/auth/create_user",
        status_code=201,
        response_model=NewUserOut,
        responses={
            **BODY,
            **problems(409, because="There is an account with this e-mail address."),
        },
    )
    async def create_user(request: Request, wish: NewUserIn) -> Response:
        """Make an account for a customer."""
        address = address_of(request.scope)
        account = await desk.register(wish.email, wish.password, wish.username, address)
        return answer({**done(201), "user_id": account.account_id}, 201)

    @router.get("/auth/me", response_model=MeOut)
    async def me(caller: Anyone) -> Response:
        """Show the account that is signed in."""
        account = await desk.account(*signed_in(caller))
        return answer(
            {"user_id": account.account_id, "username": account.username, "email": account.email}
        )

    @router.post("/auth/refresh", response_model=TokenPairOut, responses={**BODY, **WRONG})
    async def refresh(
        request: Request,
        body: Annotated[RefreshTokenIn | None, Body()] = None,
        refresh_token: RefreshToken = None,
    ) -> Response:
        """Give a refresh token's successor; once that is used, the token must not come again."""
        in_body = None if body is None else body.refresh_token
        asking = partial(desk.refresh, either("refresh_token", in_body, refresh_token))
        return answer(token_pair_out(await counting_wrong(request.scope, limiter, asking)))

    return router


def ordering_routes(desks: Desks) -> APIRouter:
    """Return the routes by which customers order, and staff move orders."""
    till, limiter = desks.till, desks.limiter
    router = APIRouter(tags=["orders"], responses=LIMITED, route_class=LooseRoute)

    @router.post(
        "/orders/create_new_order", status_code=201, response_model=NewOrderOut, responses=ORDERED
    )
    async def create_new_order(request: Request, caller: Customer, basket: NewOrderIn) -> Response:
        """Order a basket, and pay for it."""
        state = request.scope["state"]
        allowance: Allowance = state["allowance"]
        items = wanted_items(desks.board.menu, basket)
        total_cents = basket.total_price or None
        wish = Wish(
            account_of(caller),
            state["address"],
            allowance.waiting,
            items,
            fingerprint(items, None, total_cents, None),
            total_cents=total_cents,
        )
        try:
            ordered = await till.order(wish)
        except CafeRefusal as no:
            raise await told_limiter(no, wish.address, wish.max_waiting, limiter) from None
        order_id = ordered.standing.order.order_id
        location = f"{request.scope.get('root_path', '')}/orders/{order_id}"
        return answer({**done(201), "order_id": order_id}, 201, {"Location": location})

    @router.patch("/orders/update", response_model=DoneOut, responses=UPDATED)
    async def update(request: Request, caller: Staff, wish: UpdateIn) -> Response:
        """Move an order on, or cancel it while it waits.

        `SHIPPED` declares it ready, and hands it over where it is ready already.
        """
        try:
            await updated(till, wish.order_id, wish.new_status, caller.name)
        except UnknownOrder:
            await count_refusal(limiter, "unknown", request.scope)
            raise
        return answer(done(200))

    return router


def order_routes(desks: Desks) -> APIRouter:
    """Return the routes by which customers and staff look at orders."""
    till, limiter = desks.till, desks.limiter
    router = APIRouter(tags=["orders"], responses=LIMITED, route_class=LooseRoute)
    listing = {**LINKED, **problems(503)}

    async def listed(request: Request, account_id: str, most: int, behind: int | None) -> Response:
        page = await till.desk.list_placed(PlacedQuery(account_id, (), behind, most))
        links = link_headers(request, f"/orders/user/{account_id}", page.behind, limit=most)
        return answer([order_out(one.order) for one in page.standings], headers=links)

    @router.get("/orders/user/orders", response_model=list[OrderOut], responses=listing)
    async def own_orders(
        request: Request, caller: CustomerOrStaff, limit: Limit = MOST_LISTED, cursor: Cursor = None
    ) -> Response:
        """List your orders, the newest first; staff without an account have none."""
        if caller.account_id is None:
            return answer([])
        return await listed(request, caller.account_id, limit, cursor)

    @router.get("/orders/user/{user_id}", response_model=list[OrderOut], responses=listing)
    async def orders_of(
        request: Request,
        caller: CustomerOrStaff,
        user_id: UserId,
        limit: Limit = MOST_LISTED,
        cursor: Cursor = None,
    ) -> Response:
        """List the orders of an account, the newest first: your own, or as staff of any."""
        refuse_stranger(caller, user_id)
        return await listed(request, user_id, limit, cursor)

    @router.get("/orders/{order_id}", response_model=OrderOut, responses=problems(404, 503))
    async def look(request: Request, caller: CustomerOrStaff, order_id: OrderId) -> Response:
        """Show an order: your own, or as staff any."""
        standing = await own_order(request, till, limiter, caller, order_id)
        return answer(order_out(standing.order))

    return router


def done(status: int) -> dict[str, Any]:
    """Return the members that its answers to all changes have."""
    return {"status_code": status, "transaction": DONE}


def refuse_stranger(caller: Caller, account_id: str) -> None:
    """Raise Forbidden for a customer that asks for another account, existing or not."""
    if caller.role is Role.CUSTOMER and caller.account_id != account_id:
        raise Forbidden(caller.role, frozenset(STAFF))


async def updated(till: Till, order_id: str, wanted: FunctechStatus, by: str | None) -> None:
    """Move an order to the wanted status; raises the refusals of orders."""
    if wanted is FunctechStatus.CANCELED:
        await till.desk.cancel(CancelOrder(order_id, by))
        return
    if wanted is FunctechStatus.PENDING:
        status = Status.WAITING  # no order is moved back: this is always refused
    elif wanted is FunctechStatus.PAID:
        status = Status.PREPARATION
    else:
        is_ready = (await till.desk.find(order_id)).order.status is Status.READY
        status = Status.DELIVERED if is_ready else Status.READY
    await till.desk.move(MoveOrder(order_id, status, by))
