"""Noticing that the client disconnects while its request is being answered.

Rule: a route that may wait long waits in `unless_disconnected`. Nothing else cancels a handler
on a disconnect, and `request.is_disconnected()` is never true on trio: Starlette cancels the
`receive` in it before that can return (hypercorn#210).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import trio
from starlette.requests import Request
from starlette.types import Scope

T = TypeVar("T")
CONNECTION: Final = "cafe.connection"
"""The ASGI extension in which our own server passes the request's `Watched` connection."""


class Watched(Protocol):
    """The connection of a request, as far as it is watched for a disconnect."""

    def end_when_left(self) -> bool:
        """Cancel the application if the client disconnects; return False if that cannot be seen."""
        ...

    def stay(self) -> None:
        """Stop watching for a disconnect."""

    def has_left(self) -> bool:
        """Return whether the client is known to have disconnected."""
        ...

    def if_undelivered(self, callback: Callable[[], None]) -> None:
        """Call back if the next response turns out not to have reached the client."""

    def keep_little_unsent(self) -> None:
        """Limit the kernel's send buffer, so that a client that does not read is noticed."""


async def unless_disconnected(
    request: Request, work: Callable[[], Awaitable[T]], *, waits: bool = True
) -> T | None:
    """Return what `work` returns; if the client disconnects first, `work` is cancelled.

    On our own server the whole request is cancelled then; on any other this returns None. The body
    of the request must have been read. If `work` ends in the same instant as the client
    disconnects, its result is returned and not lost. The client of a request that does not wait for
    anything may close its side at once and still read the answer, so it is not watched.
    """
    if not waits:
        return await work()
    connection = connection_of(request.scope)
    if connection is None or not connection.end_when_left():
        return await _beside_a_reader(request, work)
    try:
        return await work()
    finally:
        connection.stay()


def has_disconnected(scope: Scope) -> bool:
    """Return whether the client of a request is known to have disconnected."""
    connection = connection_of(scope)
    return connection is not None and connection.has_left()


def if_undelivered(scope: Scope, callback: Callable[[], None]) -> None:
    """Call back if the next response to this request has not reached the client.

    A client that has closed its side may still read, or may have disconnected: then it answers the
    response with a reset. Only a client that has closed its side by now is checked.
    """
    connection = connection_of(scope)
    if connection is not None:
        connection.if_undelivered(callback)


def connection_of(scope: Scope) -> Watched | None:
    """Return the connection of a request on our own server, None on any other."""
    connection: Watched | None = scope.get("extensions", {}).get(CONNECTION)
    return connection


async def _beside_a_reader(request: Request, work: Callable[[], Awaitable[T]]) -> T | None:
    """Run `work` while a second task receives: ten times the cost, but all that ASGI offers."""
    result: T | None = None
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_on_disconnect, request, nursery.cancel_scope)
        try:
            result = await work()
        except Exception as error:  # noqa: BLE001 - raised below, not inside of a nursery's group
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result


async def _cancel_on_disconnect(request: Request, scope: trio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
