"""ASGI middleware of both ports: asks the RateLimiter before anything else looks at a request.

One rule: who asks is found out here, once. What is behind finds his key in the request's state as
`address`, and the RateLimiter's answer as `allowance`.

The RateLimiter gives addresses that are far from their limits credit for a few more requests, which
are let through at once and counted with the next one that is asked for. Only an address that is
itself connected uses it: if it is banned meanwhile, the door closes its connections. Of customers
behind a proxy it cannot, so each of their requests is asked for. Where requests are not counted,
because a token is wanted behind, no other is asked for at all.
"""

from collections.abc import Awaitable

import trio
from starlette.types import ASGIApp, Receive, Scope, Send

from actors import Ref
from cafe.http.outer_layer import bare_path
from cafe.http.problem import refusal_response
from cafe.limits.address import Networks, client_address, is_trusted
from cafe.limits.rate_limiter import (
    CREDIT_SECONDS,
    MOST_CREDIT,
    Admit,
    Allowance,
    LimitExceeded,
    RateLimiter,
    RecordRefusals,
    Refused,
    Window,
)

MOST_CREDITORS = 10_000
"""Addresses whose credit is remembered; beyond, each request is asked for."""


class Credit:
    """What an address may do without the RateLimiter, and has done."""

    __slots__ = ("allowance", "asking", "forget_at", "least", "left", "let_through", "until")

    allowance: Allowance
    """As it was last told; there before `left` is more than 0."""

    def __init__(self, now: float) -> None:
        self.left = 0
        self.until = self.forget_at = now
        """When it can no longer be used, and when nothing that was let through counts any more."""
        self.let_through = 0
        """Requests of which the RateLimiter has not been told."""
        self.asking = 0
        self.least = 0
        """Of what was allowed to those who asked at the same time: their answers have no order."""

    def use(self, now: float) -> bool:
        """Let a request through, if there is credit for it."""
        if self.left <= 0 or now >= self.until:
            return False
        self.left -= 1
        self.let_through += 1
        return True

    def begin_asking(self) -> int:
        """Use nothing until the answer is there; give how many requests to tell of."""
        if not self.asking:
            self.least = MOST_CREDIT
        self.asking += 1
        self.left = 0
        told, self.let_through = self.let_through, 0
        return told

    def end_asking(self, allowance: Allowance | None, now: float) -> None:
        """Begin with what was allowed, nothing where the request was refused."""
        self.asking -= 1
        self.least = min(self.least, 0 if allowance is None else allowance.credit)
        if allowance is not None:
            self.allowance = allowance
            self.until = now + CREDIT_SECONDS
            self.forget_at = self.until + allowance.reset_seconds
        if not self.asking:
            self.left = self.least


class Guard:
    """Lets a request through to `app` if its address is within its limits, else answers 429."""

    def __init__(
        self,
        app: ASGIApp,
        limiter: Ref[RateLimiter],
        trusted: Networks,
        exempt: frozenset[str] = frozenset({"/livez", "/readyz"}),
        *,
        window: Window | None = "customers",
    ) -> None:
        """Believe the forwarding headers of `trusted` peers; `exempt` paths are never counted.

        Requests are counted in `window`; None: only refusals are, by the layer that refuses.
        """
        self._app = app
        self._limiter = limiter
        self._trusted = trusted
        self._exempt = exempt
        self._window: Window | None = window
        self._credits: dict[str, Credit] = {}
        self._sweep_after = 0.0

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request; what is not HTTP is passed on."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        state = scope.setdefault("state", {})
        peer, _ = scope["client"] or ("", None)  # None: hypercorn listens on a Unix socket
        address = state["address"] = client_address(peer, scope["headers"], self._trusted)
        if bare_path(scope) in self._exempt:
            return self._app(scope, receive, send)
        if self._trusted and is_trusted(peer, self._trusted):
            return self._ask(scope, receive, send, self._credits.get(address))
        if self._window is None:
            return self._app(scope, receive, send)
        now = trio.current_time()
        credit = self._credit_of(address, now)
        if credit is not None and credit.use(now):
            state["allowance"] = credit.allowance
            return self._app(scope, receive, send)
        return self._ask(scope, receive, send, credit)

    async def _ask(self, scope: Scope, receive: Receive, send: Send, credit: Credit | None) -> None:
        """Have the RateLimiter decide, then the app or the refusal answer."""
        app, state, allowance = self._app, scope["state"], None
        let_through = 0 if credit is None else credit.begin_asking()
        try:
            asked = Admit(state["address"], let_through, self._window)
            allowance = await self._limiter.ask(asked)
            state["allowance"] = allowance
        except LimitExceeded as exceeded:
            app = refusal_response(scope, exceeded)
        finally:
            if credit is not None:
                credit.end_asking(allowance, trio.current_time())
        await app(scope, receive, send)

    def _credit_of(self, address: str, now: float) -> Credit | None:
        """Give the credit of an address, None where no more can be remembered."""
        credit = self._credits.get(address)
        if credit is None and self._has_room(now):
            credit = self._credits[address] = Credit(now)
        return credit

    def _has_room(self, now: float) -> bool:
        """Tell whether one more address can be remembered, after a look for old ones at times."""
        if len(self._credits) < MOST_CREDITORS:
            return True
        if now >= self._sweep_after:
            self._sweep_after = now + CREDIT_SECONDS
            self._credits = {
                who: one for who, one in self._credits.items() if one.asking or now < one.forget_at
            }
        return len(self._credits) < MOST_CREDITORS


async def count_refusal(limiter: Ref[RateLimiter], limit: Refused, scope: Scope) -> None:
    """Count that a request was refused by somebody else, against the address that a guard found."""
    await limiter.tell(RecordRefusals(((scope["state"]["address"], 1),), limit))
