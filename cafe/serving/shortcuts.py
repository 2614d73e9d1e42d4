"""The plainest requests to the busiest routes, answered in front of FastAPI.

Rule: a shortcut calls the route's own function with what FastAPI would have given it, and only
where nothing is to be found out: no query, and a body that is valid as it stands. All else goes on
to FastAPI as if nothing had been tried; so validation, its problems and OpenAPI have one place.
FastAPI's share of a request is two thirds of it, and here is left out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from cafe.refusals import CafeRefusal
from cafe.serving.paths import bare_path
from cafe.serving.problem import problem_response, refusal_response
from cafe.serving.reply import HUNG_UP

Shortcut = Callable[[Request, bytes], Awaitable[Response] | None]
"""Takes a request without a query, and its body; gives what answers it, None if it is not plain."""


class ShortRoute(APIRoute):
    """FastAPI's route; it may have a shortcut. For a router's `route_class`."""

    shortcut: Shortcut | None = None


def add_shortcut(router: APIRouter, endpoint: Callable[..., object], shortcut: Shortcut) -> None:
    """Give the routes of `router` that lead to `endpoint` a shortcut."""
    for route in router.routes:
        if isinstance(route, ShortRoute) and route.endpoint is endpoint:
            route.shortcut = shortcut


class Shortcuts:
    """The innermost ASGI middleware: answers by a shortcut where there is one, else calls `app`."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._routes = {
            (method, route.path.rstrip("/")): (route, route.shortcut)
            for route in app.routes
            if isinstance(route, ShortRoute) and route.shortcut is not None
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = None
        if scope["type"] == "http" and not scope["query_string"]:
            found = self._routes.get((scope["method"], bare_path(scope).rstrip("/")))
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], shortcut = found
        try:
            body = await received_whole(receive)
            if body is None:
                response = HUNG_UP
            elif (answering := shortcut(Request(scope, receive, send), body)) is not None:
                response = await answering
            else:
                await self._app(scope, preceded_by(body, receive), send)
                return
        except CafeRefusal as no:
            response = refusal_response(scope, no)
        except HTTPException as error:
            response = problem_response(scope, error.status_code, detail=error.detail)
        await response(scope, receive, send)


async def received_whole(receive: Receive) -> bytes | None:
    """Receive a body to its end; None where the client left before. Raises HTTPException."""
    body = bytearray()
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            return bytes(body)
    return None


def preceded_by(body: bytes, receive: Receive) -> Receive:
    """Give a `receive` that gives this body first."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return unread.pop() if unread else await receive()

    return received
