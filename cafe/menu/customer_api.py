"""The public menu: `GET /menu`, on both apps.

Rule: it is read from the board; no actor is asked. The responses are made once for each menu.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from cafe.http.app import problems
from cafe.http.etags import IF_NONE_MATCH, etag_of, is_current
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import JSON, JsonReply
from cafe.menu.product import Board, Menu, json_of
from cafe.menu.schemas import MenuOut

_ETAG: Final = {"ETag": {"schema": {"type": "string"}}}
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": _ETAG},
    304: {"description": "The menu is still the one that the client has.", "headers": _ETAG},
}
Responses = Mapping[int | str, dict[str, Any]]


class MenuPage:
    """One menu as responses."""

    def __init__(self, menu: Menu) -> None:
        body = json_of(menu)
        self.menu = menu
        self.etag = etag_of(body)
        # It may be cached, if it is validated by its ETag before each use.
        fields = [(b"etag", self.etag), (b"cache-control", b"no-cache")]
        length = (b"content-length", b"%d" % len(body))
        self.whole = JsonReply(200, body, [length, JSON, *fields])
        self.not_modified = JsonReply(304, b"", fields)


def menu_routes(board: Board, responses: Responses | None = None, *, prefix: str = "") -> APIRouter:
    """Return the route of the menu; `responses` documents the answers of the app's guards."""
    guards = dict(responses or problems(429))
    router = APIRouter(prefix=prefix, tags=["menu"], responses=guards, route_class=PlainRoute)
    page = MenuPage(board.menu)

    @router.get(
        "/menu",
        response_model=MenuOut,
        responses=ANSWERS,
        openapi_extra={"parameters": [IF_NONE_MATCH]},
    )
    async def menu(request: Request) -> Response:
        """Show what the shop sells, and at which prices."""
        nonlocal page
        if page.menu is not board.menu:
            page = MenuPage(board.menu)
        if is_current(page.etag, request.scope["headers"]):
            return page.not_modified
        return page.whole

    return router
