"""The guards of the baristas' port, which refuse strangers, and web pages of other sites.

Rule: a request is refused before its body is read, and the reason for refusing never depends on
anything that a web page can choose.

`StaffAuthentication` returns the caller of a request, by the mode of the port. In the mode `open` a
request without credentials is a barista's; in the mode `token` one with the worker token is. In
each mode an account that has signed in, and a program's token, have their own role. The worker
token reads the metrics in each mode: a standby, or a front without Redis, cannot ask for accounts.
It is compared in constant time, and is never logged or sent back.

`CredentialsGuard` requires credentials (RFC 6750) for every path except public ones: the health
routes, the menu, the pages of the docs and screens, and the routes for signing in. It also
separates staff from other callers, whose requests are counted.

`PageGuard` refuses requests that a web page made. Any page that a barista opens can have the
browser send requests to this machine. Three header fields show it, and no page can change them:

- `Sec-Fetch-Site` (W3C Fetch Metadata) says whose page sends the request. Only `same-origin`, and
  `none` for an address that was typed, are accepted. `same-site` is a page on another port.
- `Origin` (RFC 6454) is sent with every form, and by every script that wants to read the response.
- `Host` is the page's own name if that name was made to resolve to this machine (DNS rebinding).
  So the name has to be one that no other site can own, or one that the operator has listed.

Browsers send the first one only to addresses that they trust: those with TLS, and 127.0.0.0/8, ::1
and localhost without it. That is why other ways to write this machine's own address are refused. On
a plain port that is open to a network, a page can still cause a GET, whose response it cannot read;
such a port needs a token.

With a token no page gets anything, and host names need not be listed. Pages are still refused
before the token is checked: their requests must not count as guesses of the browser's owner.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from collections.abc import Set as AbstractSet
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from secrets import compare_digest
from typing import Final, Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.http.app import problems
from cafe.http.authentication import STAFF, Authenticate, Caller, Role, Unauthenticated
from cafe.http.authority import split_authority
from cafe.http.outer_layer import bare_path
from cafe.http.problem import problem_response, refusal_response
from cafe.http.refusals import CafeRefusal

BARISTAS_ONLY: Final = {
    **problems(401, because="Credentials are missing, wrong, or hold no longer."),
    **problems(
        403,
        because="The caller's role may not do this; or a web page of another site asked, or one"
        " asked for another's name.",
    ),
    **problems(
        429,
        because="This address is over its limit; the member `limit` says over which:"
        " `requests` or `banned`.",
    ),
}
"""The refusals of the guards, before a route of the baristas' port is called."""

ACCEPTED_SITES: Final = frozenset({b"same-origin", b"none"})
ANOTHER_SITE: Final = "A web page of another site asked for this, which none may."
UNKNOWN_HOST: Final = (
    "This host name is not known here. Use an IP address or localhost, or have the name listed in "
    "CAFE_WORKER_HOSTS."
)

_ORIGIN = re.compile(rb"(https?)://(.*)", re.DOTALL)
_PORTS: Final = {b"http": 80, b"https": 443}


Mode = Literal["open", "token", "accounts"]
"""Who may use the port: everyone; those with the worker token; accounts and programs only."""
PUBLIC: Final = frozenset(
    {"/", "/menu", "/docs", "/docs/oauth2-redirect", "/openapi.json", "/compat"}
    | {"/barista", "/manager"}
)
"""The paths that need no credentials to read."""
FILES: Final = ("/static-offline-docs/", "/screens/")
"""The files of the pages of the docs and the screens."""
METRICS: Final = "/metrics"
CALLER: Final = "caller"
"""In a request's state: its caller, once known."""


A_BARISTA: Final = Caller(Role.BARISTA)
"""A caller with a role, and nothing else known."""


class StaffAuthentication:
    """Returns the caller of a request on the baristas' port, looked up once for each request."""

    def __init__(self, mode: Mode, token: str | None, authenticate: Authenticate) -> None:
        """Ask `authenticate` about all credentials but the worker token."""
        self._mode = mode
        self._token = None if token is None else token.encode()
        self._authenticate = authenticate

    async def __call__(self, scope: Scope) -> Caller | None:
        """Return the caller, None without credentials; raises Unauthenticated for wrong ones."""
        if self._mode == "open" and not _has_credentials(scope):
            return A_BARISTA
        state = scope.setdefault("state", {})
        if CALLER not in state:
            state[CALLER] = await self._find_out(scope)
        caller: Caller | None = state[CALLER]
        return caller

    async def _find_out(self, scope: Scope) -> Caller | None:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        is_bearer = scheme.lower() == b"bearer"
        takes_token = self._mode != "accounts" or bare_path(scope) == METRICS
        if is_bearer and takes_token and self._is_worker_token(token.strip()):
            return A_BARISTA
        if self._mode == "open" and not is_bearer and len(given) <= 1:
            # Credentials for a proxy in front, such as Basic, are not ours to check.
            return A_BARISTA
        return await self._authenticate(scope)

    def _is_worker_token(self, token: bytes) -> bool:
        return self._token is not None and compare_digest(token, self._token)


def _has_credentials(scope: Scope) -> bool:
    for name, _ in scope["headers"]:  # noqa: SIM110 - a generator takes five times as long
        if name == b"authorization":
            return True
    return False


class CredentialsGuard:
    """ASGI middleware that passes on only requests with credentials."""

    def __init__(
        self,
        staffs: ASGIApp,
        others: ASGIApp,
        authenticate: Authenticate,
        exempt: AbstractSet[str],
        on_refusal: Callable[[Scope], Awaitable[None]],
    ) -> None:
        """Pass requests of staff on to `staffs`, and those of others to `others`.

        Others are requests to a public path, and those of accounts that are not staff. Every
        request to an `exempt` path goes to `staffs`. `on_refusal` is awaited before each 401.
        """
        self._staffs = staffs
        self._others = others
        self._authenticate = authenticate
        self._exempt = exempt
        self._on_refusal = on_refusal

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Call an app, or answer 401."""
        if scope["type"] != "http" or bare_path(scope) in self._exempt:
            return self._staffs(scope, receive, send)
        if is_public(scope["method"], bare_path(scope)):
            return self._others(scope, receive, send)
        return self._check(scope, receive, send)

    async def _check(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp
        try:
            caller = await self._authenticate(scope)
            if caller is None:
                raise Unauthenticated  # noqa: TRY301 - as if it had been raised there
            app = self._staffs if caller.role in STAFF else self._others
        except Unauthenticated as refusal:
            await self._on_refusal(scope)
            app = refusal_response(scope, refusal)
        except CafeRefusal as refusal:  # the caller could not be looked up
            app = refusal_response(scope, refusal)
        await app(scope, receive, send)


def is_public(method: str, path: str) -> bool:
    """Return whether a path needs no credentials.

    A browser has none to send when it opens a page: the pages of the docs and the screens have to
    be public, for people to enter their credentials there. They reveal only the source of this
    project.
    """
    if path.startswith("/auth/"):
        return True
    return method in {"GET", "HEAD"} and (path in PUBLIC or path.startswith(FILES))


class PageGuard:
    """ASGI middleware that answers 403 to requests that a page of another site made."""

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str] | None, exempt: AbstractSet[str]
    ) -> None:
        """Accept `hosts`, lower-case names, beside addresses and localhost; None: accept any name.

        Every request to an `exempt` path is passed on.
        """
        self._app = app
        self._hosts = hosts
        self._exempt = exempt

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Call the app, or answer 403, which is not counted against the browser's address."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        why_not = objection(scope["headers"], scope.get("scheme", "http"), self._hosts)
        if why_not is None or bare_path(scope) in self._exempt:
            return self._app(scope, receive, send)
        return problem_response(scope, 403, detail=why_not)(scope, receive, send)


def objection(
    headers: Iterable[tuple[bytes, bytes]], scheme: str, hosts: frozenset[str] | None
) -> str | None:
    """Return why a request is refused, as a sentence; None if it is allowed.

    `hosts` are the names accepted in `Host` beside addresses and localhost; None accepts any.
    """
    host: bytes | None = None
    origins: list[bytes] = []
    for name, value in headers:
        if name == b"host":
            host = value
        elif name == b"origin":
            origins.append(value)
        elif name == b"sec-fetch-site" and value not in ACCEPTED_SITES:
            return ANOTHER_SITE
    if host is not None and hosts is not None and not is_known_host(host, hosts):
        return UNKNOWN_HOST
    if origins and not all(is_origin_of(origin, host or b"", scheme) for origin in origins):
        return ANOTHER_SITE
    return None


@lru_cache(maxsize=64)  # each request checks one of a few
def is_known_host(host: bytes, hosts: frozenset[str]) -> bool:
    """Return whether a `Host` is an address, localhost or one of `hosts`, with any port."""
    name = split_authority(host)[0].removesuffix(".")
    if name in hosts or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    is_mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    return not (is_mapped or address.is_unspecified)


def is_origin_of(origin: bytes, host: bytes, scheme: str) -> bool:
    """Return whether a page of this `Origin` was served by this `Host`.

    Without TLS here, a proxy in front may have it; then the page's scheme determines the port.
    """
    match = _ORIGIN.fullmatch(origin.lower())
    if match is None:
        return False
    name, port = split_authority(match[2])
    our_name, our_port = split_authority(host)
    default = _PORTS[match[1]]
    ours = _PORTS[b"https"] if scheme == "https" else default
    port, our_port = (default if port is None else port), (ours if our_port is None else our_port)
    return bool(name) and (name, port) == (our_name, our_port)
