"""Pages of lists: cursors, and the `Link` to the next page.

Rule: a cursor has the number or text after which its page begins; so it stays valid if that leaves
the list. Only a cursor that was written here is accepted; any other is refused before an actor is
asked.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

T = TypeVar("T")
K = TypeVar("K", int, str)
LONGEST: Final = 64
_BEHIND: Final = "behind "

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
"""The response of a list in pages, for OpenAPI."""


def page_of(found: Sequence[T], limit: int, key: Callable[[T], K]) -> tuple[Sequence[T], K | None]:
    """Return the first `limit` of `found`, and the key after which the next page begins.

    The key is None if there is no next page: so `found` should have one more than `limit`.
    """
    if len(found) <= limit:
        return found, None
    return found[:limit], key(found[limit - 1])


def link_headers(
    request: Request, path: str, behind: int | str | None, **query: object
) -> dict[str, str]:
    """Return the `Link` header to the page that begins after `behind`, a number or text (RFC 8288).

    Empty if that is None: on the last page. `path` is without the prefix of the app. Values of
    `query` that are None are left out.
    """
    if behind is None:
        return {}
    cursor = written_text_cursor(behind) if isinstance(behind, str) else written_cursor(behind)
    given = {name: str(value) for name, value in query.items() if value is not None}
    prefix = request.scope.get("root_path", "")
    return {"Link": f'<{prefix}{path}?{urlencode({**given, "cursor": cursor})}>; rel="next"'}


def written_cursor(number: int) -> str:
    """Return the cursor of the page that begins after this number."""
    return written_text_cursor(f"{_BEHIND}{number}")


def read_cursor(cursor: str) -> int:
    """Return the number of a cursor; raises ValueError for any other text."""
    number = int(read_text_cursor(cursor, longest=LONGEST).removeprefix(_BEHIND))
    if number > 0 and written_cursor(number) == cursor:
        return number
    raise ValueError("no cursor of ours")


def written_text_cursor(text: str) -> str:
    """Return the cursor of the page that begins after this text."""
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_text_cursor(cursor: str, *, longest: int) -> str:
    """Return the text of a cursor of at most `longest` characters; raises ValueError for others."""
    if 0 < len(cursor) <= longest:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        if written_text_cursor(text) == cursor:
            return text
    raise ValueError("no cursor of ours")


def no_cursor() -> PydanticCustomError:
    """Return the error of an invalid cursor, for validators."""
    return PydanticCustomError(
        "cursor", "Take the cursor from the link of the page before; this is none."
    )


def _checked(cursor: Any) -> Any:
    if cursor is None:
        return None
    try:
        return read_cursor(cursor)
    except ValueError:
        raise no_cursor() from None


Cursor = Annotated[
    int | None,
    BeforeValidator(_checked),
    WithJsonSchema({"type": "string", "maxLength": LONGEST}),
    Query(description="Where the page begins; take it from the link of the page before."),
]
"""A cursor with a number, such as that of an order, or a position."""
