"""What requests about orders have in common: pages, and unknown ids.

Rule: read strictly, decide nothing. Keys, cursors and preferences are read in `cafe.http`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

from fastapi import Query
from starlette.types import Scope

from actors import Ref
from cafe.http.request_fields import written_cursor
from cafe.http.schema import QueryInteger
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import RateLimiter
from cafe.orders.messages import MOST_LISTED, OrderPage
from cafe.orders.refusals import UnknownOrder

Limit = Annotated[
    QueryInteger, Query(ge=1, le=MOST_LISTED, description="How many orders, at most.")
]

LINKED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "headers": {
            "Link": {
                "schema": {"type": "string"},
                "description": '`<...>; rel="next"` leads to the next page; none on the last one.',
            }
        }
    }
}


def link_headers(page: OrderPage, prefix: str, limit: int, barista: str | None) -> dict[str, str]:
    """Return the `Link` header to the next page (RFC 8288); empty on the last page."""
    if not page.goes_on:
        return {}
    query = {"limit": str(limit), "cursor": written_cursor(page.standings[-1].order.number)}
    if barista is not None:
        query["barista"] = barista
    return {"Link": f'<{prefix}/orders?{urlencode(query)}>; rel="next"'}


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
