"""Between the ports and the RateLimiter: asks about requests, enforces bans, reports refusals.

Rule: no layer calls one above it. The RateLimiter knows nothing of requests, connections or orders.
It is asked about each request and for its next bans; a callable ends what a ban cuts off besides
connections; and refusals by others are reported to it.

The client's address is determined here, once. The layers below find it in the request's state as
`address`, and the RateLimiter's answer as `allowance`.

An address that is far from its limits gets credit from the RateLimiter: a few more requests, which
are passed on without asking and counted with the next one that is asked about. Only an address that
is itself connected uses credit, since a ban closes its connections. Clients behind a proxy keep
their connections to it, so each of their requests is asked about. On a port that wants credentials
an outer guard counts no requests, and so asks about those only; an inner one counts the requests of
clients that are not staff.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
import trio
from starlette.types import ASGIApp, Receive, Scope, Send

from actors import ActorCrashed, Ref
from cafe.http.authentication import Authenticate, Caller, Unauthenticated
from cafe.http.outer_layer import bare_path
from cafe.http.problem import refusal_response
from cafe.limits.address import Networks, client_address, is_trusted
from cafe.limits.admission import Admission
from cafe.limits.gateway import GatewayWatch
from cafe.limits.rate_limiter import (
    CREDIT_SECONDS,
    MOST_CREDIT,
    Admit,
    Allowance,
    LimitExceeded,
    RateLimiter,
    RecordRefusals,
    Refused,
    WatchBans,
    Window,
)

MOST_CREDITS: Final = 10_000
"""Addresses whose credit is kept; for any other, each request is asked about."""
REPORT_SECONDS: Final = 0.25
"""The interval of reports: one message has all connections that were refused since the last."""

HEALTH: Final = frozenset({"/livez", "/readyz"})
"""Paths of the health routes, which are open to all and never counted."""

SEE: Final = "docs/limits.md, Published ports"

log: structlog.stdlib.BoundLogger = structlog.get_logger("ban")


class Credit:
    """The requests of an address that are passed on without asking the RateLimiter."""

    __slots__ = ("allowance", "asking", "forget_at", "least", "left", "let_through", "until")

    allowance: Allowance
    """The RateLimiter's last answer; set before `left` is more than 0."""

    def __init__(self, now: float) -> None:
        self.left = 0
        self.until = self.forget_at = now
        """When the credit expires, and when the requests that it let through no longer count."""
        self.let_through = 0
        """Requests that the RateLimiter has not counted yet."""
        self.asking = 0
        self.least = 0
        """The lowest credit of the requests that were asked about at the same time."""

    def begin_asking(self) -> int:
        """Stop using credit until the answer; return how many requests are to be counted."""
        if not self.asking:
            self.least = MOST_CREDIT
        self.asking += 1
        self.left = 0
        uncounted, self.let_through = self.let_through, 0
        return uncounted

    def end_asking(self, allowance: Allowance | None, now: float) -> None:
        """Use the new credit from now on; None: the request was refused or cancelled."""
        self.asking -= 1
        self.least = min(self.least, 0 if allowance is None else allowance.credit)
        if allowance is not None:
            self.allowance = allowance
            self.until = now + CREDIT_SECONDS
            self.forget_at = self.until + allowance.reset_seconds
        if not self.asking:
            self.left = self.least


class Guard:
    """ASGI middleware that passes on requests within the limits, and answers 429 to the others."""

    def __init__(
        self,
        app: ASGIApp,
        limiter: Ref[RateLimiter],
        trusted: Networks,
        exempt: frozenset[str] = HEALTH,
        *,
        window: Window | None = "customers",
        gateway: GatewayWatch | None = None,
    ) -> None:
        """Trust the forwarding headers of `trusted` peers; never count `exempt` paths.

        Requests are counted in `window`; if None, only refusals are, by the layer that refuses.
        If nearly all come from one `gateway`, that is logged once.
        """
        self._app = app
        self._limiter = limiter
        self._trusted = trusted
        self._exempt = exempt
        self._window: Window | None = window
        self._gateway = gateway
        self._credits: dict[str, Credit] = {}
        self._sweep_after = 0.0

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request; other scopes than HTTP are passed on."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        state = scope.setdefault("state", {})
        peer, port = scope["client"] or ("", 0)  # None: a server that knows no address
        address = state["address"] = client_address(peer, scope["headers"], self._trusted)
        if bare_path(scope) in self._exempt:
            return self._app(scope, receive, send)
        if self._gateway is not None:
            self._watch(self._gateway, address, port)
        credit = self._credits.get(address)
        if self._trusted and is_trusted(peer, self._trusted):
            return self._ask(scope, receive, send, credit)
        if self._window is None:
            return self._app(scope, receive, send)
        now = trio.current_time()
        if credit is None:
            credit = self._new_credit(address, now)
        elif credit.left > 0 and now < credit.until:
            credit.left -= 1
            credit.let_through += 1
            state["allowance"] = credit.allowance
            return self._app(scope, receive, send)
        return self._ask(scope, receive, send, credit)

    async def _ask(self, scope: Scope, receive: Receive, send: Send, credit: Credit | None) -> None:
        """Ask the RateLimiter; then call the app, or answer with the refusal."""
        app, state, allowance = self._app, scope["state"], None
        uncounted = 0 if credit is None else credit.begin_asking()
        try:
            asked = Admit(state["address"], uncounted, self._window)
            allowance = await self._limiter.ask(asked)
            state["allowance"] = allowance
        except LimitExceeded as exceeded:
            app = refusal_response(scope, exceeded)
        finally:
            if credit is not None:
                credit.end_asking(allowance, trio.current_time())
        await app(scope, receive, send)

    def _watch(self, gateway: GatewayWatch, address: str, port: int) -> None:
        if (suspect := gateway.count(address, port)) is not None:
            self._gateway = None
            log.warning("all customers seem to have one address", address=suspect, see=SEE)

    def _new_credit(self, address: str, now: float) -> Credit | None:
        """Return a credit for an address that has none; None if too many are kept already."""
        if len(self._credits) >= MOST_CREDITS and now >= self._sweep_after:
            self._sweep_after = now + CREDIT_SECONDS
            self._credits = {
                known: one
                for known, one in self._credits.items()
                if one.asking or now < one.forget_at
            }
        if len(self._credits) >= MOST_CREDITS:
            return None
        return self._credits.setdefault(address, Credit(now))


async def count_refusal(limiter: Ref[RateLimiter], limit: Refused, scope: Scope) -> None:
    """Report a refusal by another layer, counted against the request's address."""
    await limiter.tell(RecordRefusals(((scope["state"]["address"], 1),), limit))


def counting_refusals(authenticate: Authenticate, limiter: Ref[RateLimiter]) -> Authenticate:
    """Return `authenticate` that also counts wrong credentials against the client's address."""

    async def counting(scope: Scope) -> Caller | None:
        try:
            return await authenticate(scope)
        except Unauthenticated:
            await count_refusal(limiter, "credentials", scope)
            raise

    return counting


async def enforce_bans(
    limiter: Ref[RateLimiter],
    cut_off: Callable[[str, float], Awaitable[int]],
    admissions: Sequence[Admission],
) -> None:
    """Refuse banned addresses at both ports, then call `cut_off` for each; never returns.

    Addresses whose ban was lifted are accepted again.

    `cut_off` receives the address and the seconds of the ban, and returns how much it cancelled:
    in this shop waiting orders, so the log calls it `orders`. If it raises ActorCrashed, or the
    RateLimiter crashes, the same bans are asked for and enforced again.
    """
    seen = 0
    while True:
        try:
            news = await limiter.ask(WatchBans(seen))
            for ban in news.bans:
                for admission in admissions:
                    admission.ban(ban.address, ban.until)
            for address in news.lifted:
                for admission in admissions:
                    admission.lift(address)
            for ban in news.bans:  # only now: a `cut_off` may wait long
                cancelled = await cut_off(ban.address, ban.seconds)
                log.warning("banned", address=ban.address, seconds=ban.seconds, orders=cancelled)
        except ActorCrashed:
            log.exception("bans are read again")
        else:
            seen = news.revision


async def report_refusals(limiter: Ref[RateLimiter], admissions: Sequence[Admission]) -> None:
    """Report refused connections to the limiter, so that a flood stays banned; never returns."""
    while True:
        await trio.sleep(REPORT_SECONDS)
        for admission in admissions:
            counts = admission.take_refusals()
            if counts:
                await limiter.tell(RecordRefusals(counts))
