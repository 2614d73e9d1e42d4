"""What requests have in common: `Prefer`, `Idempotency-Key`, cursors of pages.

Rule: read strictly, decide nothing. A malformed key or cursor is refused before an actor is asked.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import Header, Query
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from cafe.http.refusals import CafeRefusal

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


Prefer = Annotated[
    list[str] | None,  # its lines, which together are one list
    WithJsonSchema({"type": "string"}),
    Header(description="`wait=N` seconds, or `respond-async` (RFC 7240)."),
]

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
