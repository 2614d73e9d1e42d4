"""The base of every refusal: an expected "no" that has an HTTP status.

Rule: a refusal carries data and the status that it hints at; `problem.py` makes the response.
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


class Unavailable(CafeRefusal):
    """The shop cannot do it at the moment; `reason` says why in one word."""

    status = 503
    told = ("reason",)
    reason: ClassVar[str]

    def __init__(self, detail: str, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class ShopClosing(Unavailable):
    """The shop is about to close."""

    reason = "closing"

    def __init__(self, retry_after: float) -> None:
        super().__init__("The shop is closing; come back soon.", retry_after)


class Closing:
    """Whether the shop is closing: a state that outlives a crash of every actor.

    Only the shop begins it, once; departments read `refusal`.
    """

    def __init__(self) -> None:
        self.refusal: CafeRefusal | None = None
        """What new requests are refused with; None while the shop is open."""

    def begin(self, retry_after: float, refusal: CafeRefusal | None = None) -> None:
        """Close for good, with another `refusal` where the shop ends by a failure."""
        self.refusal = refusal or ShopClosing(retry_after)
