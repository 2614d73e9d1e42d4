"""The baristas' door key: a Bearer token (RFC 6750) on every route but the health routes.

Rule: compared in constant time, never logged, never told. Each refusal is reported, to be counted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from secrets import compare_digest
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.http.app import problems
from cafe.http.paths import bare_path
from cafe.http.problem import problem_response

BARISTAS_ONLY: Final = {
    **problems(401, because="The shop has a worker token, which was not sent."),
    **problems(403, because="A web page of another site asked, or one asked for another's name."),
    **problems(
        429,
        because="This address is over its limit; the member `limit` says over which:"
        " `requests` or `banned`.",
    ),
}
"""What any route of the baristas' port may answer before it is asked."""


class TokenGuard:
    """ASGI middleware that lets through only who has the token."""

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        exempt: AbstractSet[str],
        on_refusal: Callable[[Scope], Awaitable[None]],
    ) -> None:
        """Let everybody through to `exempt` paths; call `on_refusal` before each 401."""
        self._app = app
        self._on_refusal = on_refusal
        self._expected = token.encode()
        self._exempt = exempt

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Call the app, or answer 401."""
        if scope["type"] != "http" or self._may_pass(scope):
            return self._app(scope, receive, send)
        return self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._on_refusal(scope)
        refusal = problem_response(
            scope,
            401,
            detail="Send the shop's worker token: Authorization: Bearer <token>.",
            headers=[(b"www-authenticate", b'Bearer realm="worker"')],
        )
        await refusal(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        if bare_path(scope) in self._exempt:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        return scheme.lower() == b"bearer" and compare_digest(token.strip(), self._expected)
