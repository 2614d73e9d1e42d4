"""Routes of FastAPI's routers that are called without FastAPI's machinery around them.

Rule: a plain route is declared, documented and validated like any other of FastAPI's, by the same
fields, and there is one way to it. What it does not do (`UNSUPPORTED` in `arguments`) is refused
when it is declared, so that nothing declared is left out in silence.

Of a request to a small endpoint FastAPI's routing, exit stacks and dependency solving are two
thirds. What is left here: the path is looked up in a table, or matched where it has parameters; a
query or a header is only looked at where it was sent, and the endpoint's `Response` is sent as it
is.

    router = APIRouter(route_class=PlainRoute)

    @router.post("/order/", response_model=OrderOut)
    async def order(request: Request, wish: Annotated[OrderIn | None, Body()] = None) -> Response:
        ...

    app = PlainRoutes(create_app([router], ...))

Dependencies are FastAPI's: `Depends(f)`, on a parameter, a route or a router, with parameters and
dependencies of their own; each is solved once a request. One that is no coroutine is called in
place, not in a thread. Of several routes for one request the first that was declared is called,
plain or not, as Starlette's router does.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from email.message import Message as Fields
from functools import lru_cache
from typing import Any, Final

from fastapi import FastAPI, params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from cafe.http.app import on_bug, on_http_exception, on_invalid_request
from cafe.http.arguments import Arguments, Errors, Sent, repeated, solve
from cafe.http.outer_layer import bare_path
from cafe.http.problem import refusal_response
from cafe.http.refusals import CafeRefusal
from cafe.http.reply import HUNG_UP

MISSING_BODY: Final = {"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}

Endpoint = Callable[..., Awaitable[Response]]
Parameters = Mapping[str, Any]


class PlainRoute(APIRoute):
    """FastAPI's route with an endpoint that gives a Response. For a router's `route_class`."""

    endpoint: Endpoint

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give what answers a request that FastAPI's own router has brought here.

        Called by FastAPI when the route is made, which makes it the place to refuse. Raises
        TypeError.
        """
        dependant = self.dependant
        if not inspect.iscoroutinefunction(self.endpoint):
            raise TypeError(f"{self.path}: a plain route's endpoint is a coroutine function")
        if dependant.body_params != [self.body_field] * (self.body_field is not None):
            raise TypeError(f"{self.path}: a plain route's body is one parameter")
        if self.body_field and isinstance(self.body_field.field_info, params.Form):
            raise TypeError(f"{self.path}: a plain route takes no forms")
        self._arguments = Arguments(dependant)
        self._has_body = self.body_field is not None
        self._looks_at_headers = self._has_body or self._arguments.has_headers
        self._default_body: Any = None
        if self.body_field is not None and not self.body_field.field_info.is_required():
            self._default_body = self.body_field.get_default()
        return self.respond

    async def respond(self, request: Request) -> Response:
        """Answer a request. Raises RequestValidationError, HTTPException, and as the endpoint."""
        return await self.endpoint(**await self.arguments(request.scope, request.receive))

    async def arguments(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        """Read what the endpoint is called with.

        Raises RequestValidationError with all that is wrong, HTTPException where the body is not
        to be read at all, and ClientDisconnect where the client left before it was there.
        """
        errors: Errors = []
        sent: Sent = dict(reversed(scope["headers"])) if self._looks_at_headers else {}
        raw, body = b"", None
        if self._has_body and sent.get(b"content-length") != b"0":
            raw = await received_whole(receive)
            if raw:
                if len(sent) < len(scope["headers"]) and _has_two_types(scope):
                    errors.append(repeated("header", "content-type"))
                body = read_body(raw, sent.get(b"content-type", b""))
        results = None
        if self._arguments.dependencies:
            results = await solve(self._arguments, Request(scope, receive), {}, errors)
        values = self._arguments.read(scope, receive, sent, errors)
        if results:
            values |= results
        if self.body_field is not None:
            values[self.body_field.name] = self._validated(self.body_field, raw, body, errors)
        if errors:
            raise RequestValidationError(errors)
        return values

    def _validated(self, field: Any, raw: bytes, body: Any, errors: Errors) -> Any:
        if raw:
            value, wrong = field.validate(body, loc=("body",))
            errors += wrong
            return value
        if field.field_info.is_required():
            errors.append(MISSING_BODY)
        return self._default_body


class PlainRoutes:
    """The innermost ASGI middleware: calls plain routes itself, and `app` for everything else."""

    def __init__(self, app: FastAPI) -> None:
        """Find the routes of `app` that are plain; none is added later."""
        self._app = app
        self._fixed: dict[tuple[str, str], PlainRoute] = {}
        """By method and path, those without parameters, unless another route comes first."""
        self._in_turn: Sequence[BaseRoute] = ()
        """All routes, up to the last plain one with parameters."""
        for number, route in enumerate(app.routes, 1):
            if isinstance(route, PlainRoute) and "{" in route.path:
                self._in_turn = app.routes[:number]
            elif isinstance(route, PlainRoute):
                for method in route.methods or ():
                    scope = {"type": "http", "method": method, "path": route.path}
                    if find(app.routes, scope) == (route, {}):
                        self._fixed[method, route.path] = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route, parameters = self._find(scope)
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["app"], scope["route"], scope["path_params"] = self._app, route, parameters
        try:
            response = await route.endpoint(**await route.arguments(scope, receive))
        except ClientDisconnect:
            response = HUNG_UP
        except CafeRefusal as no:
            response = refusal_response(scope, no)
        except HTTPException as error:
            response = await on_http_exception(Request(scope), error)
        except RequestValidationError as error:
            response = await on_invalid_request(Request(scope), error)
        except Exception as error:
            response = await on_bug(Request(scope), error)
            await response(scope, receive, send)
            raise  # it is the log's, too
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[PlainRoute | None, Parameters]:
        if scope["type"] != "http":
            return None, {}
        fixed = self._fixed.get((scope["method"], bare_path(scope)))
        return find(self._in_turn, scope) if fixed is None else (fixed, {})


def find(routes: Iterable[BaseRoute], scope: Scope) -> tuple[PlainRoute | None, Parameters]:
    """Give the route that answers a request, None where it is not plain, and its parameters."""
    for route in routes:
        match, found = route.matches(scope)
        if match is Match.FULL:
            if isinstance(route, PlainRoute):
                return route, found["path_params"]
            break
    return None, {}


async def received_whole(receive: Receive) -> bytes:
    """Receive a body to its end. Raises HTTPException, and ClientDisconnect."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        piece: bytes = message["body"]
        body = body + piece if body else piece
        if not message["more_body"]:
            return body
    raise ClientDisconnect


def _has_two_types(scope: Scope) -> bool:
    return [name for name, _ in scope["headers"]].count(b"content-type") > 1


def read_body(raw: bytes, content_type: bytes) -> Any:
    """Give what JSON says, and bytes of another type as they are, which no model will take.

    Raises RequestValidationError and HTTPException as FastAPI does, for the same bodies.
    """
    if not is_json(content_type):
        return raw
    try:
        return from_json(raw)
    except ValueError:  # faster, and stricter; what it does not take is for the library that is not
        pass
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        wrong = {
            "type": "json_invalid",
            "loc": ("body", error.pos),
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": error.msg},
        }
        raise RequestValidationError([wrong], body=error.doc) from error
    except (ValueError, RecursionError) as error:  # no text, or too deep
        raise HTTPException(400, "There was an error parsing the body") from error


@lru_cache(maxsize=16)
def is_json(content_type: bytes) -> bool:
    """Tell whether a Content-Type is JSON, as FastAPI tells it."""
    fields = Fields()
    fields["content-type"] = content_type.decode("latin-1")
    subtype = fields.get_content_subtype()
    is_application = fields.get_content_maintype() == "application"
    return is_application and (subtype == "json" or subtype.endswith("+json"))
