"""Waiting for the first of several things.

Rule: what the first gives is given, and the others are cancelled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

T = TypeVar("T")


async def first_of(*waits: Callable[[], Awaitable[T]]) -> T:
    """Give what the first of these gives; what one raises comes in a group, as a nursery has it."""
    given: list[T] = []

    async def wait(one: Callable[[], Awaitable[T]], scope: trio.CancelScope) -> None:
        given.append(await one())
        scope.cancel()

    async with trio.open_nursery() as nursery:
        for one in waits:
            nursery.start_soon(wait, one, nursery.cancel_scope)
    return given[0]
