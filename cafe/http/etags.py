"""Entity tags, by which a client validates its copy of a body (RFC 9110, 13).

Rule: a tag is strong, a hash of the body's bytes; so the same body has the same tag after a
restart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final

# The opaque part may have commas (RFC 9110, 8.8.3).
_TAG: Final = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')

IF_NONE_MATCH: Final[dict[str, Any]] = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "Entity tags that the client has; if one is current, the answer is 304.",
}
"""For OpenAPI. A route reads it with `is_current`."""


def etag_of(body: bytes) -> bytes:
    """Return the strong entity tag of a body, with its quotes."""
    return b'"%s"' % blake2b(body, digest_size=16).hexdigest().encode()


def is_current(etag: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a request's `If-None-Match` has this tag, by the weak comparison, or is `*`.

    `headers` have names in lower case; several lines are one list.
    """
    given = [value for name, value in headers if name == b"if-none-match"]
    if not given:
        return False
    if given[0] == etag:
        return True
    field = b",".join(given)
    return field.strip() == b"*" or etag in _TAG.findall(field)
