"""The shop with a route that places a basket without menu and account, to be run as a program.

Rule: what is notified is the shop's own; only the way in is a test's.
"""

from __future__ import annotations

import sys

import typer
from fastapi import APIRouter
from starlette.responses import Response

from actors import Ref
from cafe.cli.commands import run
from cafe.cli.opening import open_shop
from cafe.cli.serve import serve
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.offer import House, Offer
from cafe.orders.department import OrdersOffer
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.kept_queries import load_ids
from cafe.orders.messages import Basket, Line, PlaceOrder
from cafe.orders.order import OrderIds
from cafe.shop.departments import DEPARTMENTS, Departments, open_departments

LINE = Line("latte", None, "Latte", None, 1, 400)
MOST_WAITING = 10_000


def hatch(dispatcher: Ref[Dispatcher], ids: OrderIds) -> APIRouter:
    """Return the route."""
    router = APIRouter(route_class=PlainRoute)

    @router.post("/hatch")
    async def place() -> Response:
        order_id = ids.new()
        basket = Basket("a1", (LINE,), LINE.total_cents, "fingerprint")
        order = PlaceOrder(
            order_id, "Latte", None, "192.0.2.1", MOST_WAITING, bound=False, basket=basket
        )
        await dispatcher.ask(order)
        return answer({"order_id": order_id})

    return router


async def open_all(house: House) -> tuple[Offer, ...]:
    """Open the house's departments, with the hatch."""
    offers = await open_departments(house)
    (orders,) = (one for one in offers if isinstance(one, OrdersOffer))
    routes = hatch(orders.dispatcher, await house.ledger.prepare(load_ids))
    return (*offers, Offer(name="hatch", staff_routes=(routes,)))


def main(**options: str | None) -> None:
    """Open the shop."""
    if status := open_shop(options, Departments(DEPARTMENTS, open_all)):
        raise typer.Exit(status)


if __name__ == "__main__":
    main.__signature__ = serve.__signature__  # type: ignore[attr-defined] # functions have one
    main.__annotations__ = serve.__annotations__
    app = typer.Typer()
    app.command()(main)
    sys.exit(run(app, sys.argv[1:]))
