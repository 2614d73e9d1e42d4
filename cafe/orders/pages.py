"""The list of orders in pages: where the next one begins, and the link that leads there.

Rule: pure. A cursor is the ticket number of the last order that was shown, written so that nobody
does sums with it. Numbers only grow and an order keeps its own, so the next page begins behind it
whatever has come and gone meanwhile: nothing is shown twice, and nothing left out that was there
all the time.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from cafe.orders.messages import MOST_LISTED, OrderPage

LONGEST: Final = 64
_BEHIND: Final = "behind "


def written_cursor(number: int) -> str:
    """Write the cursor of the page that begins behind this ticket number."""
    return urlsafe_b64encode(f"{_BEHIND}{number}".encode()).rstrip(b"=").decode()


def read_cursor(cursor: str) -> int:
    """Read the ticket number back; raises ValueError for what was never written here."""
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
    WithJsonSchema({"type": "string"}),
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
    """Give the `Link` to the page that follows (RFC 8288), nothing where none does."""
    if not page.goes_on:
        return {}
    query = {"limit": str(limit), "cursor": written_cursor(page.standings[-1].order.number)}
    if barista is not None:
        query["barista"] = barista
    return {"Link": f'<{prefix}/orders?{urlencode(query)}>; rel="next"'}
