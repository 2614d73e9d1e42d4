"""Routes of FastAPI's routers that are called without FastAPI's request machinery.

Rule: a plain route is declared, documented and validated like any other route of FastAPI's, by
FastAPI's own fields and functions. So it accepts and refuses the same requests with the same words,
whether FastAPI's router calls it or `PlainRoutes` does. A feature that it does not support is
refused when it is declared (TypeError), so that nothing declared is ignored.

FastAPI's routing, exit stacks and dependency solving are two thirds of a request to a small
endpoint. Here, the path is looked up in a table, or matched if it has parameters; a query, a header
or a cookie is read only if one was sent; and the endpoint's `Response` is sent unchanged.

    router = APIRouter(route_class=PlainRoute)

    @router.post("/order/", response_model=OrderOut)
    async def order(request: Request, wish: Annotated[OrderIn | None, Body()] = None) -> Response:
        ...

    app = PlainRoutes(create_app([router], ...))

Dependencies are FastAPI's: `Depends(f)` on a parameter, a route or a router, with their own
parameters and dependencies. Each is called once a request; one that is not async is called in
place, not in a thread. If several routes match a request the first one declared is called, plain or
not, as in Starlette's router.

Some things are stricter, because two parsers could read them differently:

- If a parameter is sent twice FastAPI uses one: the last of a query, the first of a header. A proxy
  in front may have used the other, so here it is an error. A parameter that may be sent more than
  once is declared as a list; so is a header that has one (RFC 9110, 5.3).
- JSON is parsed by `cafe.http.json_body`.
- Numbers in a query, a path or a header are written as in JSON: not ` 5`, `+5`, `1_000`.
- A query that is not UTF-8 is an error. FastAPI reads other characters in place of its bytes.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import product
from typing import Any, Final

from fastapi import FastAPI, params
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from cafe.http.app import EXPECTED, on_bug, on_expected
from cafe.http.authentication import Allow
from cafe.http.json_body import is_json, parse_json
from cafe.http.outer_layer import bare_path
from cafe.http.parameters import UNREADABLE_QUERY, Errors, Parameters, is_text, repeated
from cafe.http.reply import DISCONNECTED

MISSING_BODY: Final = {"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}
UNSUPPORTED: Final = {
    "websocket_param_name": "a WebSocket",
    "response_param_name": "a Response to fill in",
    "background_tasks_param_name": "background tasks",
    "security_scopes_param_name": "security scopes",
}

Endpoint = Callable[..., Awaitable[Response]]
Sent = Mapping[bytes, bytes]
"""The headers that were sent; the first value of a header that was sent twice."""


class PlainRoute(APIRoute):
    """FastAPI's route with an endpoint that returns a Response. For a router's `route_class`."""

    endpoint: Endpoint

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests that FastAPI's own router has routed here.

        FastAPI calls this when the route is declared. Raises TypeError for unsupported features.
        """
        dependant = self.dependant
        if not inspect.iscoroutinefunction(self.endpoint):
            raise TypeError(f"{self.path}: a plain route's endpoint is a coroutine function")
        if dependant.body_params != [self.body_field] * (self.body_field is not None):
            raise TypeError(f"{self.path}: a plain route's body is one parameter")
        if self.body_field and isinstance(self.body_field.field_info, params.Form):
            raise TypeError(f"{self.path}: a plain route takes no forms")
        self._allows = [
            (one.name, one.call) for one in dependant.dependencies if isinstance(one.call, Allow)
        ]
        self._arguments = Arguments(dependant)
        self._looks_at_headers = self.body_field is not None or self._arguments.has_headers
        self._default_body: Any = None
        if self.body_field is not None and not self.body_field.field_info.is_required():
            self._default_body = self.body_field.get_default()
        return self.respond

    async def respond(self, request: Request) -> Response:
        """Call the endpoint; raises its errors, and those of `arguments`."""
        return await self.endpoint(**await self.arguments(request.scope, request.receive))

    async def arguments(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        """Return the arguments of the endpoint.

        Raises Unauthenticated or Forbidden for a caller that may not use the route, before the body
        is read, RequestValidationError with all errors, HTTPException of a dependency, and
        ClientDisconnect if the client disconnects before its body has arrived.
        """
        errors: Errors = []
        # First: the body of a caller that may not send it is not read.
        callers: dict[str, Any] = {}
        for name, allow in self._allows:
            caller = await allow.caller_of(scope)
            if name is not None:
                callers[name] = caller
        sent: Sent = dict(reversed(scope["headers"])) if self._looks_at_headers else {}
        body, wrong_body = None, Errors()
        if self.body_field is not None:
            body, wrong_body = await self._read_body(scope, receive, sent, errors)
        results = None
        if self._arguments.dependencies:
            results = await solve(self._arguments, Request(scope, receive), {}, errors)
        values = self._arguments.read(scope, receive, sent, errors)
        if results:
            values |= results
        values |= callers
        if self.body_field is not None:
            values[self.body_field.name] = body
        errors += wrong_body
        if errors:
            raise RequestValidationError(errors)
        return values

    async def _read_body(
        self, scope: Scope, receive: Receive, sent: Sent, errors: Errors
    ) -> tuple[Any, Errors]:
        """Receive the body; return its value, and its errors, which are listed last.

        An error of its Content-Type is added to `errors`.
        """
        field: Any = self.body_field
        raw, more = b"", sent.get(b"content-length") != b"0"
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientDisconnect
            raw = raw + message["body"] if raw else message["body"]
            more = message["more_body"]
        if not raw:
            return self._default_body, [MISSING_BODY] if field.field_info.is_required() else []
        if len(sent) < len(scope["headers"]) and _has_two_types(scope):
            errors.append(repeated("header", "content-type"))
        body: Any = raw  # of another type than JSON: no model accepts it
        if is_json(sent.get(b"content-type", b"")):
            body = parse_json(raw)
        return self.validated(field, body)

    def validated(self, field: Any, body: Any) -> tuple[Any, Errors]:
        """Return the value of a body, and its errors."""
        value, wrong = field.validate(body, loc=("body",))
        return value, wrong


class PlainRoutes:
    """The innermost ASGI middleware: calls plain routes itself, and `app` for everything else."""

    def __init__(self, app: FastAPI) -> None:
        """Find the plain routes of `app`, to which none is added later."""
        self._app = app
        self._fixed: dict[tuple[str, str], PlainRoute] = {}
        """By method and path: plain routes without parameters that no earlier route precedes."""
        self._in_turn: Sequence[BaseRoute] = ()
        """All routes up to the last plain one with parameters."""
        for number, route in enumerate(app.routes, 1):
            if isinstance(route, PlainRoute) and "{" in route.path:
                self._in_turn = app.routes[:number]
            elif isinstance(route, PlainRoute):
                for method, path in product(route.methods or (), spellings(route.path)):
                    scope = {"type": "http", "method": method, "path": path}
                    if find(app.routes, scope) == (route, {}):
                        self._fixed[method, path] = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route: PlainRoute | None = None
        parameters: Mapping[str, Any] = {}
        if scope["type"] == "http":
            route = self._fixed.get((scope["method"], bare_path(scope)))
            if route is None:
                route, parameters = find(self._in_turn, scope)
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["app"], scope["route"], scope["path_params"] = self._app, route, parameters
        try:
            response = await route.endpoint(**await route.arguments(scope, receive))
        except ClientDisconnect:
            response = DISCONNECTED
        except EXPECTED as error:
            response = await on_expected(Request(scope), error)
        except Exception as error:
            response = await on_bug(Request(scope), error)
            await response(scope, receive, send)
            raise  # for the log
        await response(scope, receive, send)


def spellings(path: str) -> set[str]:
    """Return a route's path, and the one without its last slash: both are served."""
    return {path, path.removesuffix("/") or "/"}


def find(routes: Iterable[BaseRoute], scope: Scope) -> tuple[PlainRoute | None, Mapping[str, Any]]:
    """Return the route that answers a request, None if it is not plain, and its parameters."""
    for route in routes:
        match, found = route.matches(scope)
        if match is Match.FULL:
            if isinstance(route, PlainRoute):
                return route, found["path_params"]
            break
    return None, {}


class Arguments:
    """The arguments of a function, read from a request as FastAPI reads them."""

    def __init__(self, dependant: Dependant) -> None:
        """Prepare to read them; raises TypeError for features that a plain route lacks."""
        for name, what in UNSUPPORTED.items():
            if getattr(dependant, name) is not None:
                raise TypeError(f"a plain route does not support {what}")
        # An Allow is called before all else, by the route.
        self.dependencies = [
            Dependency(one) for one in dependant.dependencies if not isinstance(one.call, Allow)
        ]
        self._request_names = [
            name
            for name in (dependant.request_param_name, dependant.http_connection_param_name)
            if name is not None
        ]
        self._path = Parameters(dependant.path_params)
        self._has_plain_path = all(map(_is_any_text, dependant.path_params))
        self._query = Parameters(dependant.query_params)
        self._headers = Parameters(dependant.header_params)
        self._cookies = Parameters(dependant.cookie_params)
        self._header_names = frozenset(
            name.lower().encode("latin-1") for name in self._headers.names
        )
        self.has_headers = bool(self._header_names)

    def read(self, scope: Scope, receive: Receive, sent: Sent, errors: Errors) -> dict[str, Any]:
        """Return all arguments but the dependencies and the body; add errors to `errors`."""
        values: dict[str, Any] = {}
        if self._request_names:
            values = dict.fromkeys(self._request_names, Request(scope, receive))
        if self._path.names:
            self._read_path(scope["path_params"], values, errors)
        if self._query.names:
            query = scope["query_string"]
            if query or self._query.defaults is None:
                if not is_text(query):
                    errors.append(UNREADABLE_QUERY)
                self._query.read(QueryParams(query), values, errors)
            else:
                values.update(self._query.defaults)
        if self._header_names:
            if self._headers.defaults is None or not self._header_names.isdisjoint(sent):
                self._headers.read(Headers(scope=scope), values, errors)
            else:
                values.update(self._headers.defaults)
        if self._cookies.names:
            self._cookies.read(Request(scope).cookies, values, errors)
        return values

    def _read_path(self, sent: Mapping[str, Any], values: dict[str, Any], errors: Errors) -> None:
        texts = {name: sent[name] for name in self._path.names}
        # An id may be any text, and validating it would cost as much as finding the route.
        if self._has_plain_path and all(type(text) is str for text in texts.values()):
            values.update(texts)
        else:
            self._path.read(sent, values, errors)


class Dependency:
    """A function whose result is an argument of another function, and its own arguments."""

    def __init__(self, dependant: Dependant) -> None:
        call = dependant.call
        if call is None or any(map(_is_generator, (call, type(call).__call__))):
            raise TypeError("a plain route does not support dependencies with `yield`")
        self.name = dependant.name
        self.call: Callable[..., Any] = call
        self.key = call if dependant.use_cache else self
        self.arguments = Arguments(dependant)


async def solve(
    arguments: Arguments, request: Request, known: dict[Any, Any], errors: Errors
) -> dict[str, Any]:
    """Call the dependencies in the order of their declaration; return their results by name.

    `known` has the results of dependencies that were called already.
    """
    results: dict[str, Any] = {}
    sent = dict(reversed(request.scope["headers"]))
    for dependency in arguments.dependencies:
        wrong: Errors = []
        values = await solve(dependency.arguments, request, known, wrong)
        values |= dependency.arguments.read(request.scope, request.receive, sent, wrong)
        errors += wrong
        if wrong:
            continue
        if dependency.key not in known:
            result = dependency.call(**values)
            known[dependency.key] = await result if inspect.isawaitable(result) else result
        if dependency.name is not None:
            results[dependency.name] = known[dependency.key]
    return results


def _has_two_types(scope: Scope) -> bool:
    return [name for name, _ in scope["headers"]].count(b"content-type") > 1


def _is_any_text(field: Any) -> bool:
    info = field.field_info
    return info.annotation is str and not info.metadata and field.name == field.alias


def _is_generator(call: object) -> bool:
    return inspect.isgeneratorfunction(call) or inspect.isasyncgenfunction(call)
