"""The parameters of a plain route that come from one part of a request: query, path, headers.

Rule: FastAPI's own fields read and validate them, and refuse with the same words. The checks here
are stricter, because two parsers could read these differently: a parameter that is sent twice
instead of once, a number that is not one in JSON, a query that is not UTF-8.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, get_args, get_origin
from urllib.parse import unquote_to_bytes

from fastapi.dependencies.utils import request_params_to_args
from pydantic import BaseModel, BeforeValidator, WrapValidator
from starlette.datastructures import Headers, QueryParams

IMMUTABLE: Final = (str, bytes, int, float, bool, type(None))
PLAIN: Final = {
    int: re.compile(r"-?(?:0|[1-9][0-9]{0,15})"),
    float: re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?"),
}
"""Numbers as in JSON; pydantic accepts ` 5`, `+5` and `1_000` as well."""
NOT_PLAIN: Final[Mapping[type, dict[str, Any]]] = {
    int: {"type": "int_parsing", "msg": "Input should be an integer in plain digits"},
    float: {"type": "float_parsing", "msg": "Input should be a number in plain digits"},
}
UNREADABLE_QUERY: Final = {
    "type": "query_encoding",
    "loc": ("query",),
    "msg": "The query is UTF-8, percent-encoded",
}

Errors = list[Any]
"""Pydantic's errors, each with its place in the request."""


class Parameters:
    """The parameters of a function that come from one part of a request."""

    def __init__(self, fields: Sequence[Any]) -> None:
        """Read these fields of FastAPI's."""
        self._fields = fields
        self.names = frozenset(field.alias for field in fields)
        """If none of these is sent, all parameters have their defaults."""
        values, errors = request_params_to_args(fields, {}) if fields else ({}, [])
        is_model = any(_is_model(field.field_info.annotation) for field in fields)
        is_immutable = all(isinstance(value, IMMUTABLE) for value in values.values())
        members = [one for field in fields for one in _members(field.field_info, field.alias)]
        converted = {field.alias for field in fields if _is_converted(field.field_info)}
        self._once = [(place, name) for place, name, kind in members if not _is_list(kind)]
        self._numbers = {
            (place, name): kind
            for place, name, annotation in members
            if (kind := _number_type(annotation)) is not None and name not in converted
        }
        self.defaults: dict[str, Any] | None = None
        """The values if none is sent; None if that is an error, or they must be made each time."""
        if not errors and is_immutable and not is_model:
            self.defaults = values

    def read(self, sent: Mapping[str, Any], values: dict[str, Any], errors: Errors) -> None:
        """Add the values that were sent to `values`, and their errors to `errors`."""
        read, wrong = request_params_to_args(self._fields, sent)
        values.update(read)
        errors += wrong
        if self._numbers:
            errors += self._odd_numbers(sent, {one["loc"][:2] for one in wrong})
        if isinstance(sent, QueryParams | Headers):
            errors += [repeated(*once) for once in self._once if len(sent.getlist(once[1])) > 1]

    def _odd_numbers(self, sent: Mapping[str, Any], known: AbstractSet[Any]) -> Iterator[Any]:
        """Yield errors of numbers that pydantic accepts and JSON does not, unless `known`."""
        for (place, name), kind in self._numbers.items():
            if isinstance(sent, QueryParams | Headers):
                texts = sent.getlist(name)
            else:
                texts = [sent[name]] if name in sent else []
            is_odd = any(type(one) is str and not PLAIN[kind].fullmatch(one) for one in texts)
            if is_odd and (place, name) not in known:
                yield NOT_PLAIN[kind] | {"loc": (place, name)}


def is_text(query: bytes) -> bool:
    """Return whether a query is UTF-8, percent-encoded (RFC 3986, 2.5)."""
    if b"%" not in query:
        return query.isascii()
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        return False
    return query.isascii()


def repeated(place: str, name: str) -> dict[str, Any]:
    """Return the error of a parameter that may be sent only once."""
    return {"type": "repeated", "loc": (place, name), "msg": "Send this once", "input": None}


def _members(info: Any, alias: str) -> Iterator[tuple[str, str, Any]]:
    """Yield place, name and annotation of a field, or of each of the members of a model."""
    place: str = info.in_.value
    members = {alias: info.annotation}
    if _is_model(info.annotation):
        members = {
            member.alias
            or (name.replace("_", "-") if place == "header" else name): member.annotation
            for name, member in info.annotation.model_fields.items()
        }
    return ((place, name, annotation) for name, annotation in members.items())


def _number_type(annotation: Any) -> type[int | float] | None:
    """Return int or float if a parameter is read as one, also in a union or a list."""
    if annotation is int:
        return int
    if annotation is float:
        return float
    return next(filter(None, map(_number_type, get_args(annotation))), None)


def _is_converted(info: Any) -> bool:
    """Return whether the field has its own validator, which reads the text."""
    return any(isinstance(one, BeforeValidator | WrapValidator) for one in info.metadata)


def _is_list(annotation: Any) -> bool:
    """Return whether this, or a member of a union, is a list or similar."""
    kinds = (get_origin(one) or one for one in (annotation, *get_args(annotation)))
    return any(
        inspect.isclass(kind)
        and issubclass(kind, Sequence | AbstractSet)
        and not issubclass(kind, str | bytes)
        for kind in kinds
    )


def _is_model(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, BaseModel)
