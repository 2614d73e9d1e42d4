"""The base of every expected "no" of the shop.

Rule: a refusal carries data and the HTTP status that it hints at; `serving` makes HTTP of it.
"""

from __future__ import annotations

from math import ceil
from typing import Any, ClassVar

from actors import Refusal

HeaderFields = tuple[tuple[bytes, bytes], ...]


class CafeRefusal(Refusal):
    """An expected "no": the asker gets it, the actor lives on."""

    status: ClassVar[int] = 400
    told: ClassVar[tuple[str, ...]] = ()
    """The attributes that stand in the problem body beside the members of RFC 9457."""
    retry_after: float | None = None
    """Seconds after which asking again makes sense, where that is known."""

    def members(self) -> dict[str, Any]:
        """Give what is told, by name."""
        return {name: getattr(self, name) for name in self.told}

    def headers(self) -> HeaderFields:
        """Give the header fields of the answer: `Retry-After`, where it is known when."""
        if self.retry_after is None:
            return ()
        return ((b"retry-after", b"%d" % max(1, ceil(self.retry_after))),)
