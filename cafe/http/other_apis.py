"""APIs of other systems beside ours, each a FastAPI app under its own prefix.

Rule: they differ from our API in one respect, which is decided here once: members that a schema
does not know are ignored. All else is equally strict.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.http.parameters import Errors
from cafe.http.plain_routes import PlainRoute


class LooseRoute(PlainRoute):
    """A plain route that ignores members of its body that its schema does not know."""

    def validated(self, field: Any, body: Any) -> tuple[Any, Errors]:
        """Return the value of a body, and its errors."""
        body_type: TypeAdapter[Any] = field._type_adapter  # noqa: SLF001 - there is no other way
        try:
            return body_type.validate_python(body, from_attributes=True, extra="ignore"), []
        except ValidationError as error:
            found: Errors = list(error.errors(include_url=False))
            return None, [{**one, "loc": ("body", *one["loc"])} for one in found]


class ByPrefix:
    """ASGI middleware that calls the app of a request's prefix.

    The outer layer has put the prefix into `root_path`.
    """

    def __init__(self, app: ASGIApp, others: Mapping[str, ASGIApp]) -> None:
        """Call `app` for prefixes that are not in `others`."""
        self._app = app
        self._others = others

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Call one of the apps."""
        prefix = scope.get("root_path", "")
        other = self._others.get(prefix)
        if other is None:
            return self._app(scope, receive, send)
        scope["api_prefix"] = prefix
        return other(scope, receive, send)


def loosen(app: FastAPI) -> None:
    """Remove from the OpenAPI of an app that unknown members are refused."""
    strict = app.openapi

    def openapi() -> dict[str, Any]:
        made = strict()
        for schema in made["components"]["schemas"].values():
            if schema.get("additionalProperties") is False:
                del schema["additionalProperties"]
        return made

    setattr(app, "openapi", openapi)  # noqa: B010 - a type checker takes it for a method
