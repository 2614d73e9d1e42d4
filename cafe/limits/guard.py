"""ASGI middleware: asks the RateLimiter before anything else looks at a request.

One rule: who asks is found out here, once. What is behind finds his key in the request's state as
`address`, and the RateLimiter's answer as `allowance`.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from actors import Ref
from cafe.limits.address import Networks, client_address
from cafe.limits.rate_limiter import Admit, LimitExceeded, RateLimiter
from cafe.serving.paths import bare_path
from cafe.serving.problem import refusal_response


class Guard:
    """Lets a request through to `app` if its address is within its limits, else answers 429."""

    def __init__(
        self,
        app: ASGIApp,
        limiter: Ref[RateLimiter],
        trusted: Networks,
        exempt: frozenset[str] = frozenset({"/livez", "/readyz"}),
    ) -> None:
        """Believe the forwarding headers of `trusted` peers; `exempt` paths are never counted."""
        self._app = app
        self._limiter = limiter
        self._trusted = trusted
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is not HTTP is passed on."""
        app = await self._admit(scope) if scope["type"] == "http" else self._app
        await app(scope, receive, send)

    async def _admit(self, scope: Scope) -> ASGIApp:
        """Return what is to answer the request: the app, or the refusal."""
        state = scope.setdefault("state", {})
        peer, _ = scope["client"] or ("", None)  # None: hypercorn listens on a Unix socket
        state["address"] = client_address(peer, scope["headers"], self._trusted)
        if bare_path(scope) in self._exempt:
            return self._app
        try:
            state["allowance"] = await self._limiter.ask(Admit(state["address"]))
        except LimitExceeded as exceeded:
            return refusal_response(scope, exceeded)
        return self._app
