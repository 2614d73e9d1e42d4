"""What requests about orders have in common: `Prefer`, `Idempotency-Key`, cursors, unknown ids.

Rule: read strictly, decide nothing. A malformed key or cursor is refused before an actor is asked.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.types import Scope

from actors import Ref
from cafe.http.refusals import CafeRefusal
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import RateLimiter
from cafe.orders.messages import MOST_LISTED, OrderPage
from cafe.orders.refusals import UnknownOrder

KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"
_KEY = re.compile(KEY_PATTERN)
# An element may hold commas in quotes (RFC 9110, 5.6.1); an open quote takes the rest.
_ELEMENT = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*+(?:"|\\?\Z))++')
_PREFERENCE = re.compile(
    r"[ \t]*(?:(?P<later>respond-async)|"
    r'wait[ \t]*=[ \t]*(?P<quote>"?)(?P<wait>[0-9]{1,9})(?P=quote))'
    r"[ \t]*(?:;.*)?",
    re.IGNORECASE,
)


class MalformedKey(CafeRefusal):
    """The Idempotency-Key is malformed."""

    status = 400

    def __init__(self) -> None:
        super().__init__("An Idempotency-Key has 1 to 255 visible ASCII characters.")


def check_key(key: str) -> None:
    """Raise MalformedKey for a key that is not allowed."""
    if _KEY.fullmatch(key) is None:
        raise MalformedKey


def preferred_wait(prefer: Sequence[str] | None, *, otherwise: float) -> tuple[float, str | None]:
    """Return the seconds to wait, and the preference that was applied, if any.

    `prefer` has the header's lines, which are one list. `otherwise` is the default.
    `respond-async` is a wait of 0 seconds.
    """
    wait, applied = otherwise, None
    for element in _ELEMENT.findall(",".join(prefer or ())):
        match = _PREFERENCE.fullmatch(element)
        if match is None:
            continue
        if match["later"]:
            return 0.0, "respond-async"
        if applied is None:
            wait, applied = float(match["wait"]), f"wait={match['wait']}"
    return wait, applied


LONGEST: Final = 64
_BEHIND: Final = "behind "


def written_cursor(number: int) -> str:
    """Return the cursor of the page that begins after this ticket number."""
    return urlsafe_b64encode(f"{_BEHIND}{number}".encode()).rstrip(b"=").decode()


def read_cursor(cursor: str) -> int:
    """Return the ticket number of a cursor; raises ValueError for any other text."""
    if len(cursor) <= LONGEST:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        number = int(text.removeprefix(_BEHIND))
        if number > 0 and written_cursor(number) == cursor:
            return number
    raise ValueError("no cursor of ours")


def _checked(cursor: Any) -> Any:
    if cursor is None:
        return None
    try:
        return read_cursor(cursor)
    except ValueError:
        raise PydanticCustomError(
            "cursor", "Take the cursor from the link of the page before; this is none."
        ) from None


Cursor = Annotated[
    int | None,
    BeforeValidator(_checked),
    WithJsonSchema({"type": "string", "maxLength": LONGEST}),
    Query(description="Where the page begins; take it from the link of the page before."),
]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many orders, at most.")]

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
