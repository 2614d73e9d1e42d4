"""What a function is to be called with, read from a request as FastAPI reads it.

Rule: by FastAPI's own fields and functions, so that what is taken and what is refused, and with
which words, is the same; but a query, a header or a cookie is looked at only where one was sent.

What may come once and comes twice is refused, where FastAPI takes one of the two: the last of a
query, the first of a header. A proxy in front may have taken the other. What may come more
often is declared as a list; so is a header that holds one (RFC 9110, 5.3).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, get_args, get_origin

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from pydantic import BaseModel
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.types import Receive, Scope

UNSUPPORTED: Final = {
    "websocket_param_name": "a WebSocket",
    "response_param_name": "a Response to fill in",
    "background_tasks_param_name": "background tasks",
    "security_scopes_param_name": "security scopes",
}
UNCHANGING: Final = (str, bytes, int, float, bool, type(None))

Sent = Mapping[bytes, bytes]
"""The headers that were sent, of those that were sent twice the first."""
Errors = list[Any]
"""As pydantic gives them, each with where in the request it is."""


def repeated(place: str, name: str) -> dict[str, Any]:
    """Give the error of what may come once."""
    return {"type": "repeated", "loc": (place, name), "msg": "Send this once", "input": None}


class Parameters:
    """The parameters of a function that come from one part of a request."""

    def __init__(self, fields: Sequence[Any]) -> None:
        """Read these fields of FastAPI's."""
        self._fields = fields
        self.names = frozenset(field.alias for field in fields)
        """What has to be there for any to have another value than its default."""
        values, errors = request_params_to_args(fields, {}) if fields else ({}, [])
        is_model = any(_is_model(field.field_info.annotation) for field in fields)
        unchanging = all(isinstance(value, UNCHANGING) for value in values.values())
        self._once = [once for field in fields for once in _once(field.field_info, field.alias)]
        self.defaults: dict[str, Any] | None = None
        """What they are where none was sent; None where that is wrong, or has to be made anew."""
        if not errors and unchanging and not is_model:
            self.defaults = values

    def read(self, sent: Mapping[str, Any], values: dict[str, Any], errors: Errors) -> None:
        """Add what was sent to the values, and what is wrong with it to the errors."""
        read, wrong = request_params_to_args(self._fields, sent)
        values.update(read)
        errors += wrong
        if isinstance(sent, QueryParams | Headers):
            errors += [repeated(*once) for once in self._once if len(sent.getlist(once[1])) > 1]


class Arguments:
    """What a function is to be called with, read from a request as FastAPI reads it."""

    def __init__(self, dependant: Dependant) -> None:
        """Read what this function wants. Raises TypeError for what a plain route cannot give."""
        for name, what in UNSUPPORTED.items():
            if getattr(dependant, name) is not None:
                raise TypeError(f"a plain route gives nobody {what}")
        self.dependencies = [Dependency(one) for one in dependant.dependencies]
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
        """Give all but the dependencies and the body, and add what is wrong to the errors."""
        values: dict[str, Any] = {}
        if self._request_names:
            values = dict.fromkeys(self._request_names, Request(scope, receive))
        if self._path.names:
            self._read_path(scope["path_params"], values, errors)
        if self._query.names:
            query = scope["query_string"]
            if query or self._query.defaults is None:
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
        # An id: any text will do. To have that validated costs as much as the route's look-up.
        if self._has_plain_path and all(type(text) is str for text in texts.values()):
            values.update(texts)
        else:
            self._path.read(sent, values, errors)


class Dependency:
    """A function whose result is an argument of another, and its own arguments."""

    def __init__(self, dependant: Dependant) -> None:
        call = dependant.call
        if call is None or any(map(_is_generator, (call, type(call).__call__))):
            raise TypeError("a plain route has no dependencies with `yield`: nothing is closed")
        self.name = dependant.name
        self.call: Callable[..., Any] = call
        self.key = call if dependant.use_cache else self
        self.arguments = Arguments(dependant)


async def solve(
    arguments: Arguments, request: Request, known: dict[Any, Any], errors: Errors
) -> dict[str, Any]:
    """Call the dependencies, in the order in which they are declared; give their results by name.

    `known` has what was called already.
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


def _once(info: Any, alias: str) -> Iterator[tuple[str, str]]:
    """Give place and name of all that may come once: of one field, or of a model's members."""
    place: str = info.in_.value
    members = {alias: info.annotation}
    if _is_model(info.annotation):
        members = {
            member.alias
            or (name.replace("_", "-") if place == "header" else name): member.annotation
            for name, member in info.annotation.model_fields.items()
        }
    return ((place, name) for name, annotation in members.items() if not _is_list(annotation))


def _is_list(annotation: Any) -> bool:
    """Tell whether this, or a part of a union, is a list or the like."""
    kinds = (get_origin(one) or one for one in (annotation, *get_args(annotation)))
    return any(
        inspect.isclass(kind)
        and issubclass(kind, Sequence | AbstractSet)
        and not issubclass(kind, str | bytes)
        for kind in kinds
    )


def _is_model(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, BaseModel)


def _is_any_text(field: Any) -> bool:
    info = field.field_info
    return info.annotation is str and not info.metadata and field.name == field.alias


def _is_generator(call: object) -> bool:
    return inspect.isgeneratorfunction(call) or inspect.isasyncgenfunction(call)
