"""The request headers of the counter: how long to wait (RFC 7240) and what not to order twice.

Rule: pure. A preference that cannot be understood is ignored, as RFC 7240 wants it; a key that
cannot be trusted is refused.
"""

from __future__ import annotations

import re
from math import inf

from cafe.refusals import CafeRefusal

KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"
_KEY = re.compile(KEY_PATTERN)
_WAIT = re.compile(r"wait\s*=\s*\"?([0-9]{1,9})\"?", re.IGNORECASE)


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


def preferred_wait(prefer: str | None, *, otherwise: float) -> tuple[float, str | None]:
    """Give the seconds to wait, and the preference that was applied, if any was.

    `otherwise` holds without a preference. `respond-async` is a wait of 0 seconds.
    """
    wait, applied = inf, None
    for preference in (prefer or "").split(","):
        name = preference.split(";")[0].strip()
        match = _WAIT.fullmatch(name)
        if match is not None and applied is None:
            wait, applied = float(match[1]), f"wait={match[1]}"
        elif name.lower() == "respond-async":
            return 0.0, "respond-async"
    return (otherwise, None) if applied is None else (wait, applied)
