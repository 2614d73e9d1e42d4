"""The app factory: a FastAPI app with this shop's routing, error handlers and OpenAPI.

Rule: a path is served with and without its last slash and never redirected; HEAD is answered where
GET is, and OPTIONS on every path; every error is a problem of RFC 9457.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, ConfigDict
from pydantic.config import ExtraValues
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route

from cafe.http.authentication import Allow, Authenticate, Role, nobody
from cafe.http.outer_layer import bare_path
from cafe.http.problem import MEDIA_TYPE, phrase, problem_response, refusal_response
from cafe.http.problem_examples import problem_example
from cafe.http.refusals import CafeRefusal
from cafe.http.schema import FIT_PATTERN, NO_FIT_TEXT


def example(members: dict[str, Any], *, extra: ExtraValues = "ignore") -> ConfigDict:
    """Return a model's configuration with an example for OpenAPI."""
    return ConfigDict(extra=extra, json_schema_extra={"examples": [members]})


class ProblemOut(BaseModel):
    """A problem body (RFC 9457); further members are documented where they occur."""

    model_config = example(
        {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "There is no such order.",
            "instance": "urn:request:1f0c2a9be6d34d07",
        },
        extra="allow",
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str


NOT_ROUTED = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})

HEADERS: Mapping[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    429: ("Retry-After", "RateLimit-Policy", "RateLimit"),
    503: ("Retry-After",),
}
"""The header fields that a problem of this status always has."""


MOST_ERRORS: Final = 20
"""The most errors that a 422 lists; a body can have thousands."""
MOST_SHOWN: Final = 64
"""The most characters of an unknown member's name that a 422 shows, if printable."""
ECHOING: Final = frozenset({"union_tag_invalid", "uuid_parsing"})
"""The types of pydantic's errors whose messages quote the input."""


def problems(
    *statuses: int, because: str = "", refusal: CafeRefusal | None = None
) -> dict[int | str, dict[str, Any]]:
    """Return problem responses for OpenAPI; `because` describes them and their members.

    Each has an example: the problem of `refusal`, or the usual one of its status.
    """
    return {
        status: {
            "description": because or phrase(status),
            "headers": {name: {"schema": {"type": "string"}} for name in HEADERS.get(status, ())},
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/ProblemOut"},
                    "example": problem_example(status, refusal, because),
                }
            },
        }
        for status in statuses
    }


BODY: Final = problems(400, 408, 413)
"""The problems of a request whose body is not JSON, too slow or too long."""


def create_app(
    routers: Sequence[APIRouter],
    *,
    title: str,
    description: str,
    version: str,
    prefix: str,
    other_prefixes: Sequence[str] = (),
    authenticate: Authenticate = nobody,
) -> FastAPI:
    """Return a FastAPI app with these routes and our error handlers, documented under `prefix`.

    The outer layer serves it under `other_prefixes`, too; `/` is without any prefix.

    `authenticate` returns the caller of a request, for the routes that declare `Allow`.
    """
    app = FastAPIOffline(
        title=title,
        description=description,
        version=version,
        servers=[
            {"url": prefix},
            *({"url": other, "description": "the same"} for other in other_prefixes),
        ],
        root_path_in_servers=False,
        redirect_slashes=False,
        redoc_url=None,
        exception_handlers={**dict.fromkeys(EXPECTED, on_expected), Exception: on_bug},
    )
    app.state.authenticate = authenticate
    # Not include_router, which nests the routers: that costs each request a layer, and hides their
    # routes from `methods_of`. Ours come before those of the docs: routes are tried in order.
    app.router.routes[:0] = [route for router in routers for route in router.routes]
    match_to_the_end(app)
    answer_head(app)
    make_openapi_when_asked(app)
    return app


def match_to_the_end(app: FastAPI) -> None:
    """Make routes match whole paths only, and also without their last slash.

    Starlette's patterns end with `$`, which matches before a line feed, too. The outer layer
    removes a last slash before a route is looked up.
    """
    for route in app.routes:
        if isinstance(route, Route):
            end = r"/?\Z" if route.path.endswith("/") else r"\Z"
            pattern = route.path_regex.pattern.removesuffix("$").removesuffix("/")
            route.path_regex = re.compile(pattern + end)


def answer_head(app: FastAPI) -> None:
    """Let routes answer HEAD where they answer GET (RFC 9110, 9.1), without documenting it.

    If one endpoint answers both GET and POST, its GET is not safe, and HEAD would not be either.
    """
    answering = [
        (route.path, route.endpoint, route.methods)
        for route in app.routes
        if isinstance(route, Route) and route.methods is not None
    ]
    posts = {(path, endpoint) for path, endpoint, methods in answering if "POST" in methods}
    for path, endpoint, methods in answering:
        if "GET" in methods and (path, endpoint) not in posts:
            methods.add("HEAD")


@contextmanager
def undocumented_head(app: FastAPI) -> Generator[None]:
    """Remove HEAD from the routes; the block must not wait, so that no request comes meanwhile."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.methods is not None:
            route.methods.discard("HEAD")
    try:
        yield
    finally:
        answer_head(app)


def make_openapi_when_asked(app: FastAPI) -> None:
    """Make the OpenAPI of an app at its first request: it is most of the cost of an app."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            with undocumented_head(app):
                make_openapi(app)
        return FastAPI.openapi(app)

    # As FastAPI documents it for extending OpenAPI.
    setattr(app, "openapi", openapi)  # noqa: B010 - a type checker takes it for a method


def make_openapi(app: FastAPI) -> None:
    """Make OpenAPI, with our problems where FastAPI documents error bodies of its own.

    The first paragraph of a docstring is the summary of its route. Routes that are for some roles
    document which, and that they need a Bearer token.
    """
    schema = FastAPI.openapi(app)
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["ProblemOut"] = ProblemOut.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path in schema["paths"].values():
        for operation in path.values():
            summarize(operation)
            operation["responses"].update({str(k): v for k, v in problems(414, 422, 500).items()})
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema and (allow := allow_of(route)):
            components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
            for method in route.methods or ():
                add_security(schema["paths"][route.path_format][method.lower()], allow)


def summarize(operation: dict[str, Any]) -> None:
    """Make the first paragraph of an operation's description its summary."""
    summary, _, rest = operation.pop("description", "").partition("\n\n")
    if summary:
        operation["summary"] = " ".join(summary.split())
    if rest:
        operation["description"] = rest


def allow_of(route: APIRoute) -> Allow | None:
    """Return the Allow of a route; None if it has none."""
    calls = (one.call for one in route.dependant.dependencies)
    return next((call for call in calls if isinstance(call, Allow)), None)


def add_security(operation: dict[str, Any], allow: Allow) -> None:
    """Document in OpenAPI who may use an operation."""
    roles = ", ".join(role for role in Role if role in allow.roles)
    operation["security"] = [{"bearer": []}]
    for status, because in {
        401: "Credentials are missing, wrong, or hold no longer.",
        403: f"This takes one of these roles: {roles}.",
    }.items():
        for code, response in problems(status, because=because).items():
            operation["responses"].setdefault(str(code), response)


EXPECTED: Final[tuple[type[Exception], ...]] = (CafeRefusal, HTTPException, RequestValidationError)
"""The exceptions that an endpoint, a dependency or the routing may raise."""


async def on_expected(request: Request, error: Exception) -> Response:
    """Return the problem of an expected exception; raise any other."""
    if isinstance(error, CafeRefusal):
        return refusal_response(request.scope, error)
    if isinstance(error, HTTPException):
        return http_problem(request, error)
    if isinstance(error, RequestValidationError):
        return input_problem(request, error)
    raise error


def http_problem(request: Request, error: HTTPException) -> Response:
    """Return the problem of a Starlette error: 404, 405 with its `Allow`, and so on.

    No route has OPTIONS, so it is answered here (RFC 9110, 9.3.7), with the methods of the path, or
    with those of the app for `*` and for the root, which load balancers ask.
    """
    headers = [(k.lower().encode(), v.encode()) for k, v in (error.headers or {}).items()]
    detail = "" if error.detail == phrase(error.status_code) else error.detail
    if request.method == "OPTIONS" and error.status_code in NOT_ROUTED:
        allowed = ", ".join(methods_of(request))
        if allowed:
            return Response(status_code=204, headers={"Allow": allowed})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(methods_of(request))
        headers = [(b"allow", allowed.encode())]
        detail = f"This path has {allowed}."
    elif error.status_code == HTTPStatus.NOT_FOUND and not detail:
        docs = f"{request.scope.get('root_path', '')}/docs"
        detail = f"There is nothing at this path; {docs} tells what there is."
    return problem_response(request.scope, error.status_code, detail=detail, headers=headers)


def input_problem(request: Request, error: RequestValidationError) -> Response:
    """Return 422 with all errors in the input and their places; 400 for malformed JSON."""
    found = error.errors()
    errors = [
        {"loc": [cleaned(part) for part in one["loc"]], "type": one["type"], "message": said(one)}
        for one in found[:MOST_ERRORS]
    ]
    unreadable = any(one["type"] == "json_invalid" for one in errors)
    status = HTTPStatus.BAD_REQUEST if unreadable else HTTPStatus.UNPROCESSABLE_ENTITY
    detail = "; ".join(f"{dotted(one['loc'])}: {one['message']}" for one in errors)
    if len(found) > MOST_ERRORS:
        detail += f"; and {len(found) - MOST_ERRORS} more"
    if any(one["type"] == "model_attributes_type" for one in errors):
        detail += "; send a JSON object, with Content-Type: application/json"
    return problem_response(request.scope, status, detail=detail, errors=errors)


def cleaned(part: str | int) -> str | int:
    """Return a part of a place in the input; cut and escaped, since a client may choose it."""
    if isinstance(part, int):
        return part
    shown = "".join(one if one.isprintable() else "?" for one in part[:MOST_SHOWN])
    return shown if len(part) <= MOST_SHOWN else f"{shown}..."


def said(error: Mapping[str, Any]) -> str:
    """Return an error's message, which never quotes the input."""
    if error["type"] in ECHOING:
        return "This is none of the values that are allowed here"
    if error.get("ctx", {}).get("pattern") == FIT_PATTERN:
        return NO_FIT_TEXT
    message: str = error["msg"]
    return message


def methods_of(request: Request) -> list[str]:
    """Return all methods of a path: Starlette returns only those of the first matching route.

    Empty if there is no such path; the root and `*` have those of all paths.
    """
    app: FastAPI = request.app
    scope = request.scope
    # A mounted app has put its own path into `root_path`.
    scope = {**scope, "root_path": scope.get("app_root_path", scope.get("root_path", ""))}
    is_any = bare_path(scope) in {"/", "*"}
    methods: set[str] = set()
    for route in app.routes:
        if is_any or route.matches(scope)[0] is not Match.NONE:
            # Any other kind of route is a mounted folder of files.
            methods |= (route.methods or set()) if isinstance(route, Route) else {"GET", "HEAD"}
    return sorted(methods | {"OPTIONS"}) if methods else []


def dotted(loc: Sequence[str | int]) -> str:
    """Return a place in the input as text, such as `body.name`."""
    return ".".join(str(part) for part in loc)


async def on_bug(request: Request, _error: Exception) -> Response:
    """Return a 500 without its cause, which is in the log."""
    return problem_response(
        request.scope, 500, detail="Something went wrong here; it has been logged."
    )
