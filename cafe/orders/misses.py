"""Counting misses: who asks for orders that are not there is cut off, on either port.

Rule: a guess at an id is a refusal like any other, whatever was to be done with the order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.types import Scope

from actors import Ref
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import RateLimiter
from cafe.orders.refusals import UnknownOrder

R = TypeVar("R")


async def counting_misses(
    scope: Scope, limiter: Ref[RateLimiter], ask: Callable[[], Awaitable[R]]
) -> R:
    """Ask, and count an order that is not there against the request's address."""
    try:
        return await ask()
    except UnknownOrder:
        await count_refusal(limiter, "unknown", scope)
        raise
