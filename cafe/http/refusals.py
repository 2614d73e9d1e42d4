"""The base of all refusals: an expected "no", with the HTTP status that it becomes.

Rule: a refusal carries data, from which `problem.refusal_response` makes the response.
"""

from __future__ import annotations

from math import ceil
from typing import Any, ClassVar, Self

from actors import Refusal

HeaderFields = tuple[tuple[bytes, bytes], ...]


class CafeRefusal(Refusal):
    """An expected "no": the ask raises it, and the actor goes on."""

    status: ClassVar[int] = 400
    members: ClassVar[tuple[str, ...]] = ()
    """The attributes that become members of the problem, beside those of RFC 9457."""
    retry_after: float | None = None
    """Seconds after which a retry makes sense, if known."""
    made_of: tuple[tuple[Any, ...], dict[str, Any]]
    """The arguments of its constructor, from which another process can construct it."""

    def __new__(cls, *args: Any, **named: Any) -> Self:
        """Keep the arguments: a subclass passes only its sentence on to Exception."""
        self = super().__new__(cls, *args)
        self.made_of = args, named
        return self

    def problem_members(self) -> dict[str, Any]:
        """Return the further members of the problem by name."""
        return {name: getattr(self, name) for name in self.members}

    def headers(self) -> HeaderFields:
        """Return the header fields of the response: `Retry-After`, if it is known."""
        if self.retry_after is None:
            return ()
        return ((b"retry-after", b"%d" % max(1, ceil(self.retry_after))),)


class Unavailable(CafeRefusal):
    """The shop cannot do it at the moment; `reason` says why in one word."""

    status = 503
    members: ClassVar[tuple[str, ...]] = ("reason",)
    reason: ClassVar[str]

    def __init__(self, detail: str, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Invalid(CafeRefusal):
    """A request has an invalid value; `errors` are like those of a body that its schema refuses."""

    status = 422
    members = ("errors",)
    kind: ClassVar[str]
    """The type of the error."""

    def __init__(self, sentence: str, *place: str | int, detail: str | None = None) -> None:
        """Carry what is wrong, and its place, such as "body" and a member."""
        super().__init__(detail or sentence)
        error: dict[str, Any] = {"loc": [*place], "type": self.kind, "message": sentence}
        self.errors = [error]


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
        """The refusal of new requests; None while the shop is open."""

    def begin(self, retry_after: float, refusal: CafeRefusal | None = None) -> None:
        """Close for good, with another `refusal` if the shop ends by a failure."""
        self.refusal = refusal or ShopClosing(retry_after)
