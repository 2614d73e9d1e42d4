"""Shared by the routes of orders: the length of a page, and the count of unknown ids.

Rule: parse strictly, decide nothing. Keys, cursors and preferences are parsed in `cafe.http`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Query
from starlette.types import Scope

from actors import Ref
from cafe.http.schema import QueryInteger
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import RateLimiter
from cafe.orders.messages import MOST_LISTED
from cafe.orders.refusals import UnknownOrder

Limit = Annotated[
    QueryInteger, Query(ge=1, le=MOST_LISTED, description="How many orders, at most.")
]

R = TypeVar("R")


async def counting_misses(
    scope: Scope, limiter: Ref[RateLimiter], ask: Callable[[], Awaitable[R]]
) -> R:
    """Ask, and count an unknown order against the request's address."""
    try:
        return await ask()
    except UnknownOrder:
        await count_refusal(limiter, "unknown", scope)
        raise
