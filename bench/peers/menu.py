"""The menu's route, and beside it a route that does nothing, in one application.

Rule: both are plain routes on the café's connection, without the rest of the café: so no layer that
both have in common makes them look alike.
Run as `python -m bench.peers.menu`; prints its addresses as the café does.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response
from starlette.types import ASGIApp

from bench.peers.noop import BODY, HEAD, on_door
from cafe.http.app import create_app
from cafe.http.plain_routes import PlainRoute, PlainRoutes
from cafe.http.reply import JsonReply
from cafe.menu.catalogue import Catalogue
from cafe.menu.customer_api import menu_routes
from cafe.menu.first import FIRST_MENU
from cafe.menu.keeper import new_id
from cafe.menu.product import Board, Menu

NOTHING: Final = JsonReply(200, BODY, HEAD)


def make_app() -> ASGIApp:
    """Return the application with the first menu."""
    router = APIRouter(route_class=PlainRoute)

    @router.get("/")
    async def noop() -> Response:
        return NOTHING

    board = Board(Catalogue(Menu()).replace(FIRST_MENU, new_id)[0].menu)
    routers = [router, menu_routes(board)]
    return PlainRoutes(create_app(routers, title="t", description="d", version="1", prefix="/p"))


if __name__ == "__main__":
    on_door(make_app())
