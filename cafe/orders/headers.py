"""The request headers of the counter: how long to wait (RFC 7240) and what not to order twice.

Rule: pure. A preference that cannot be understood is ignored, as RFC 7240 wants it; a key that
cannot be trusted is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cafe.http.refusals import CafeRefusal

KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"
_KEY = re.compile(KEY_PATTERN)
# A list's element may hold commas in quotes (RFC 9110, 5.6.1); one that is left open has the rest.
_ELEMENT = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*+(?:"|\\?\Z))++')
_PREFERENCE = re.compile(
    r"[ \t]*(?:(?P<later>respond-async)|"
    r'wait[ \t]*=[ \t]*(?P<quote>"?)(?P<wait>[0-9]{1,9})(?P=quote))'
    r"[ \t]*(?:;.*)?",
    re.IGNORECASE,
)


class MalformedKey(CafeRefusal):
    """The Idempotency-Key is not one."""

    status = 400

    def __init__(self) -> None:
        super().__init__("An Idempotency-Key has 1 to 255 visible ASCII characters.")


def checked_key(key: str | None) -> str | None:
    """Give the key back; raises MalformedKey."""
    if key is not None and _KEY.fullmatch(key) is None:
        raise MalformedKey
    return key


def preferred_wait(prefer: Sequence[str] | None, *, otherwise: float) -> tuple[float, str | None]:
    """Give the seconds to wait, and the preference that was applied, if any was.

    `prefer` has the header's lines, which are one list. `otherwise` holds without a preference.
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
