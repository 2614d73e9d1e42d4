"""The common part of requests for both streams.

Rule: parse strictly, decide nothing.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.types import Scope

from cafe.events.sse import MEDIA_TYPE
from cafe.http.app import problems
from cafe.http.refusals import Closing

LAST_ID: Final[dict[str, Any]] = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The id of the last message that the client has; any other text counts as none.",
}
"""The parameter in OpenAPI."""
CLOSES: Final = problems(503, because="The member `reason` says why: `closing` or `ledger`.")


def documented(example: str) -> dict[int | str, dict[str, Any]]:
    """Return the response of a stream for OpenAPI."""
    content = {MEDIA_TYPE: {"schema": {"type": "string"}, "example": example}}
    return {200: {"description": "Server-sent events, without end.", "content": content}}


def refuse_when_closing(closing: Closing) -> None:
    """Raise the refusal of a closing shop: a stream that began now would end at once."""
    if closing.refusal is not None:
        raise closing.refusal


def has_credentials(scope: Scope) -> bool:
    """Return whether a request has credentials, which may be revoked while it is answered."""
    return any(name == b"authorization" for name, _ in scope["headers"])
