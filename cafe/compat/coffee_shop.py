"""The API of coffee-shop: a menu, paid orders, strict statuses.

Rule: requests and answers are ours, by our own routes. An order also has that system's names for
the same members.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from cafe.accounts.customer_api import form_routes
from cafe.compat.desks import Desks
from cafe.http.app import example, problems
from cafe.http.other_apis import LooseRoute
from cafe.http.reply import answer
from cafe.menu.customer_api import menu_routes
from cafe.menu.staff_api import add_changing
from cafe.offer import OtherApi
from cafe.orders.line_schemas import LineOut
from cafe.payments.customer_api import add_looking, add_ordering
from cafe.payments.schemas import ORDER, PaidOrderOut, PaymentOut, Shown, order_out
from cafe.payments.staff_api import add_listing, add_moving
from cafe.payments.till import Ordered

if TYPE_CHECKING:
    from cafe.orders.messages import Desk

NAME: Final = "coffee-shop"
PREFIX: Final = "/api/v1"
DESCRIPTION: Final = """\
The calls of coffee-shop, answered by this shop: its clients change their base URL and nothing else.

Requests and answers are those of our own API, and an order also has `id`, `customer_id`,
`created_at`, `items[].line_total_cents` and `payment.response_status_code`. Members of a request
that are not documented are ignored. Errors are problems of RFC 9457.
"""
LINE: Final = {**ORDER["items"][0], "line_total_cents": 860}
PAYMENT: Final = {**ORDER["payment"], "response_status_code": 200}
COFFEE_ORDER: Final = {
    **ORDER,
    "id": ORDER["order_id"],
    "customer_id": "pGxkC0a9TtqUuXb0n2FZ0w",
    "created_at": ORDER["placed_at"],
    "items": [LINE],
    "payment": PAYMENT,
}
ROOT: Final = {"name": NAME, "docs": f"/compat/{NAME}/docs"}


class CoffeeLineOut(LineOut):
    """One line of an order."""

    model_config = example(LINE)

    line_total_cents: int = Field(description="The same as `total_cents`.")


class CoffeePaymentOut(PaymentOut):
    """The payment of an order."""

    model_config = example(PAYMENT)

    response_status_code: int | None = Field(
        description="With which the payment provider answered; null where it was not asked."
    )


class CoffeeOrderOut(PaidOrderOut):
    """An order of ours, with that system's names beside."""

    model_config = example(COFFEE_ORDER)

    id: str = Field(description="The same as `order_id`.")
    customer_id: str | None = Field(description="Null for an order of the plain counter.")
    created_at: datetime = Field(description="The same as `placed_at`.")
    items: list[CoffeeLineOut]  # type: ignore[assignment] # with one member more
    payment: CoffeePaymentOut  # pyright: ignore[reportIncompatibleVariableOverride] # the same


class CoffeeOrdersOut(BaseModel):
    """Orders, the newest first."""

    model_config = example({"orders": [COFFEE_ORDER]})

    orders: list[CoffeeOrderOut]


class RootOut(BaseModel):
    """What is served here, and where it is documented."""

    model_config = example(ROOT)

    name: str
    docs: str


def coffee_shop(desks: Desks, prefix: str) -> OtherApi:
    """Return the API of coffee-shop."""
    return OtherApi(
        prefix=prefix,
        title=NAME,
        description=DESCRIPTION,
        customer_routes=(
            root_routes(),
            menu_routes(desks.board, prefix=PREFIX),
            form_routes(desks.accounts, desks.limiter, prefix=PREFIX),
            routes(desks),
        ),
    )


def root_routes() -> APIRouter:
    """Return the route of the root, which describes the API."""
    router = APIRouter(tags=[NAME], responses=problems(429), route_class=LooseRoute)

    @router.get("/", response_model=RootOut)
    async def root(request: Request) -> Response:
        """Say what is served here, and where it is documented."""
        return answer({"name": NAME, "docs": f"{request.scope['root_path']}/docs"})

    return router


def routes(desks: Desks) -> APIRouter:
    """Return the routes of orders and products, which are ours."""
    router = APIRouter(prefix=PREFIX, tags=[NAME], responses=problems(429), route_class=LooseRoute)
    till, limiter = desks.till, desks.limiter
    add_ordering(router, till, limiter, SHOWN)
    add_looking(router, till, limiter, SHOWN)
    add_moving(router, till, limiter, SHOWN)
    add_listing(router, till, SHOWN)
    add_changing(router, desks.keeper)
    return router


def coffee_order_out(desk: Desk, ordered: Ordered) -> dict[str, Any]:
    """Return the JSON of an order with that system's names beside ours."""
    shown, basket = order_out(desk, ordered), ordered.standing.order.basket
    return {
        **shown,
        "id": shown["order_id"],
        "customer_id": None if basket is None else basket.account_id,
        "created_at": shown["placed_at"],
        "items": [{**one, "line_total_cents": one["total_cents"]} for one in shown["items"]],
        "payment": {**shown["payment"], "response_status_code": ordered.charge_status},
    }


SHOWN: Final = Shown(coffee_order_out, CoffeeOrderOut, CoffeeOrdersOut)
