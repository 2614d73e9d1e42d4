"""Noticing that the client has gone while its request is being answered.

Rule: FastAPI does not cancel a handler on a disconnect, and `request.is_disconnected()` is never
true on trio (hypercorn#210); so whoever waits long waits in here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import trio
from starlette.requests import Request
from starlette.types import Scope

T = TypeVar("T")
CONNECTION: Final = "cafe.connection"
"""The ASGI extension under which our own server offers what `Watched` has."""


class Watched(Protocol):
    """What a request came on, where it can tell that the client has left."""

    def end_when_left(self) -> bool:
        """Cancel the application when the client leaves; False: that cannot be told."""
        ...

    def stay(self) -> None:
        """Do so no more."""

    def has_left(self) -> bool:
        """Tell whether it has been heard that the client has left."""
        ...

    def if_undelivered(self, callback: Callable[[], None]) -> None:
        """Call back if the answer that is given next turns out to have reached nobody."""


async def unless_hung_up(request: Request, work: Callable[[], Awaitable[T]]) -> T | None:
    """Give what `work` gives; where the client hangs up first, `work` is cancelled.

    So is the whole request, on a connection of ours; elsewhere this gives None. The request's body
    must have been read. What `work` has finished in the same instant as the client hung up is
    given, not lost.
    """
    connection = connection_of(request.scope)
    if connection is None or not connection.end_when_left():
        return await _beside_a_reader(request, work)
    try:
        return await work()
    finally:
        connection.stay()


def has_hung_up(scope: Scope) -> bool:
    """Tell whether a request was cancelled because its client has left."""
    connection = connection_of(scope)
    return connection is not None and connection.has_left()


def if_undelivered(scope: Scope, callback: Callable[[], None]) -> None:
    """Call back if the answer that is given next to this request has reached nobody.

    A client that has closed its side may read on, or be gone: of the two only the latter answers
    with a reset, and only one that has closed its side by now is looked at.
    """
    connection = connection_of(scope)
    if connection is not None:
        connection.if_undelivered(callback)


def connection_of(scope: Scope) -> Watched | None:
    """Give the connection of ours that a request came on, if it did."""
    connection: Watched | None = scope.get("extensions", {}).get(CONNECTION)
    return connection


async def _beside_a_reader(request: Request, work: Callable[[], Awaitable[T]]) -> T | None:
    """Have a second task receive, at ten times the price: ASGI has no other way."""
    result: T | None = None
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_on_hang_up, request, nursery.cancel_scope)
        try:
            result = await work()
        except Exception as error:  # noqa: BLE001 - raised below, not inside of a nursery's group
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result


async def _cancel_on_hang_up(request: Request, scope: trio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
