"""Which pages of other sites may use the customers' app: CORS (Fetch Standard, 3.3).

Rule: only origins that the operator has listed, and never with credentials. A browser sends no
cookies then, and there are none: a page acts for a customer only with a token.

This layer adds header fields to the responses of the layers below it, and answers nothing by
itself. So a preflight is counted and refused by the guard like any request, a page can read every
error (429 as well as 503), and `OPTIONS` has one answer, the methods of the path. Starlette's
CORSMiddleware would answer each preflight before the guard counts it, with 200 for every path.

A response of this app depends on the origin, so all have `Vary: Origin`, also those to other
origins: a cache must not return to one page the response for another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALLOWED_HEADERS: Final = (
    b"Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Prefer,"
    b" X-Request-ID"
)
"""The header fields that our API reads, beside those that need no permission."""
EXPOSED_HEADERS: Final = (
    b"ETag, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After,"
    b" WWW-Authenticate, X-Request-ID"
)
"""The header fields of our API's answers, beside those that every page may read."""
MAX_AGE: Final = b"600"
"""Seconds for which a browser may cache the answer to a preflight."""

Field = tuple[bytes, bytes]

VARY: Final[Field] = (b"vary", b"origin")
EXPOSE: Final[Field] = (b"access-control-expose-headers", EXPOSED_HEADERS)


class Cors:
    """ASGI middleware that lets pages of some origins read the responses of `app`."""

    def __init__(self, app: ASGIApp, origins: AbstractSet[str]) -> None:
        """Allow pages of these `origins`, which are in lower case, as browsers send them."""
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request, with the header fields that its origin needs."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        origin, is_preflight = self._listed_origin(scope), _is_preflight(scope)

        def send_with_fields(message: Message) -> Awaitable[None]:
            # Not async, so a request that waits in it keeps no frame for it.
            if message["type"] == "http.response.start":
                fields = [*message.get("headers", ()), VARY]
                if origin is not None:
                    fields += preflight_fields(fields) if is_preflight else [EXPOSE]
                    fields.append((b"access-control-allow-origin", origin))
                message = {**message, "headers": fields}
            return send(message)

        return self._app(scope, receive, send_with_fields)

    def _listed_origin(self, scope: Scope) -> bytes | None:
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        return origins[0] if len(origins) == 1 and origins[0] in self._origins else None


def preflight_fields(answer: Iterable[Field]) -> list[Field]:
    """Return the fields of a preflight's response, with the methods of its `answer` to OPTIONS."""
    methods = b", ".join(value for name, value in answer if name == b"allow")
    return [
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", ALLOWED_HEADERS),
        (b"access-control-max-age", MAX_AGE),
    ]


def _is_preflight(scope: Scope) -> bool:
    return scope["method"] == "OPTIONS" and any(
        name == b"access-control-request-method" for name, _ in scope["headers"]
    )
