"""Noticing that the client has gone while its request is being answered.

Rule: FastAPI does not cancel a handler on a disconnect, and `request.is_disconnected()` is never
true on trio (hypercorn#210); so whoever waits long waits in here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
from starlette.requests import Request

from cafe.serving.eager_stream import Transport
from cafe.serving.exchange import TRANSPORT

T = TypeVar("T")


async def unless_hung_up(request: Request, work: Callable[[], Awaitable[T]]) -> T | None:
    """Give what `work` gives; None where the client hung up first, and `work` was cancelled.

    The request's body must have been read. What `work` has finished in the same instant as the
    client hung up is given, not lost.
    """
    transport: Transport | None = request.scope.get("extensions", {}).get(TRANSPORT)
    scope = trio.CancelScope()
    if transport is None or not transport.watch(scope.cancel):
        return await _beside_a_reader(request, work)
    try:
        with scope:
            return await work()
    finally:
        transport.unwatch()
    return None


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
