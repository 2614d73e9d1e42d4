"""Header fields of requests that several departments read: `Prefer`, `Idempotency-Key`.

Rule: they are parsed strictly; nothing is decided here. A malformed key is refused before an actor
is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Header
from pydantic import WithJsonSchema

from cafe.http.refusals import CafeRefusal

KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"
_KEY = re.compile(KEY_PATTERN)
# An element may have commas in quotes (RFC 9110, 5.6.1); an open quote extends to the end.
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
