"""Parse the host name and port of `Host` and `Origin` (RFC 9110, 7.2).

Rule: parse strictly, decide nothing.
"""

from __future__ import annotations

import re

_AUTHORITY = re.compile(rb"(\[[0-9a-f:.]+\]|[^\[\]:@/?#]+)(?::([0-9]{0,5}))?")


def split_authority(authority: bytes) -> tuple[str, int | None]:
    """Return the name of `name:port` in lower case, and the port if there is one.

    The name is empty if the authority is malformed.
    """
    match = _AUTHORITY.fullmatch(authority.lower())
    if match is None:
        return "", None
    return match[1].decode("latin-1"), int(match[2]) if match[2] else None
