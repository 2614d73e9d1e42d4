"""Queries by name: how a front names a function of the house's, and reads what it found.

Rule: the house runs only what its departments list. A query is a function of a module, with
annotations; what it is given beside the connection is given by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, get_type_hints

from cafe.bus.codec import decoder_of
from cafe.ledger.department import Event, Logged

Function = Callable[..., Any]


def rows_of(query: Function) -> tuple[Function, Mapping[str, Any]]:
    """Return the function of a query, and its arguments by name.

    Raises TypeError for one that cannot be named: a lambda, or one with arguments by place.
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
    """Return the name of a query, as both ends know it."""
    return f"{function.__module__}.{function.__qualname__}"


@cache
def to_result(function: Function) -> Callable[[Any], Any]:
    """Return what reads the result of a query from bytes."""
    kind = get_type_hints(function)["return"]
    if kind == list[Logged]:
        # Read back from the database, an event has no changes.
        rows = decoder_of(list[tuple[int, str, Event, list[None]]])
        return lambda body: [Logged(one[0], one[1], one[2]) for one in rows(body)]
    return decoder_of(kind)
