"""Queries by name: how a front names a function for the house to run, and decodes the result.

Rule: the house runs only the queries that its departments list. A query is an annotated function of
a module; its arguments after the connection are keywords.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, get_type_hints

from cafe.bus.codec import decoder_of
from cafe.ledger.department import Event, Logged

Function = Callable[..., Any]


def rows_of(query: Function) -> tuple[Function, Mapping[str, Any]]:
    """Return the function of a query, and its keyword arguments.

    Raises TypeError for a lambda, a local function, or a partial with positional arguments.
    """
    named: dict[str, Any] = {}
    while isinstance(query, partial):
        if query.args:
            raise TypeError(f"give {path_of(query.func)} its arguments by name")
        named = {**query.keywords, **named}
        query = query.func
    if "<" in query.__qualname__:
        raise TypeError(f"{path_of(query)} is no function of a module")
    return query, named


def path_of(function: Function) -> str:
    """Return the name of a query on the bus."""
    return f"{function.__module__}.{function.__qualname__}"


@cache
def to_result(function: Function) -> Callable[[Any], Any]:
    """Return a decoder of the result of a query."""
    kind = get_type_hints(function)["return"]
    if kind == list[Logged]:
        # An event that is read from the database has no changes.
        rows = decoder_of(list[tuple[int, str, Event, list[None]]])
        return lambda body: [Logged(one[0], one[1], one[2]) for one in rows(body)]
    return decoder_of(kind)
