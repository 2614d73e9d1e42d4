"""Keeps pages of other sites off the baristas' port.

Rule: pure, and only what a browser says of a request counts, for no page can change that. What
programs send passes: they say nothing of the kind.

Any page that a barista looks at may have the browser send requests to this machine. Three things
give them away:

- `Sec-Fetch-Site` (W3C Fetch Metadata) says whose page asks. Harmless are `same-origin`, and `none`
  for an address that was typed. `same-site` is not: it is a page on another port of this machine.
- `Origin` (RFC 6454) of any form, and of any script that is to read the answer, is its page's.
- `Host`, when a page has its own name resolve to this machine (DNS rebinding), is that name. So a
  name has to be one that nobody else can own, or one that the operator has named.

Browsers send the first only to addresses that they trust: with TLS, and to 127.0.0.0/8, ::1 and
localhost without. Other ways to write this machine's own address are refused for that reason. On a
plain port that is open to a network, a page can still have the browser send a GET that tells
nothing of it; there a token is needed.

Where there is a token no page gets anything, and names need not be listed. Pages are refused all
the same before the token is looked at: what they ask must not count as guesses of the one whose
browser it is.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable
from collections.abc import Set as AbstractSet
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.http.paths import bare_path
from cafe.http.problem import problem_response

HARMLESS: Final = frozenset({b"same-origin", b"none"})
ANOTHER_SITE: Final = "A web page of another site asked for this, which none may."
NO_NAME_OF_OURS: Final = (
    "This host name is not known here. Use an IP address or localhost, or have the name listed in "
    "CAFE_WORKER_HOSTS."
)

_ORIGIN = re.compile(rb"(https?)://(.*)", re.DOTALL)
_AUTHORITY = re.compile(rb"(\[[0-9a-f:.]+\]|[^\[\]:@/?#]+)(?::([0-9]{0,5}))?")
_PORTS: Final = {b"http": 80, b"https": 443}

Authority = tuple[bytes, int | None]


class PageGuard:
    """ASGI middleware that lets no page of another site through."""

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str] | None, exempt: AbstractSet[str]
    ) -> None:
        """Take these names for ours, in small letters; None: any.

        Everybody is let through to `exempt` paths.
        """
        self._app = app
        self._hosts = hosts
        self._exempt = exempt

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Call the app, or answer 403; the browser's address is not to be blamed, so none is."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        why_not = objection(scope["headers"], scope.get("scheme", "http"), self._hosts)
        if why_not is None or bare_path(scope) in self._exempt:
            return self._app(scope, receive, send)
        return problem_response(scope, 403, detail=why_not)(scope, receive, send)


def objection(
    headers: Iterable[tuple[bytes, bytes]], scheme: str, hosts: frozenset[str] | None
) -> str | None:
    """Say why a request is refused, in a sentence; None where it is not.

    `hosts` are the names that may be asked for besides addresses and localhost; None: any may.
    """
    host: bytes | None = None
    origins: list[bytes] = []
    for name, value in headers:
        if name == b"host":
            host = value
        elif name == b"origin":
            origins.append(value)
        elif name == b"sec-fetch-site" and value not in HARMLESS:
            return ANOTHER_SITE
    if host is not None and hosts is not None and not is_name_of_ours(host, hosts):
        return NO_NAME_OF_OURS
    if origins and not all(is_origin_of(origin, host or b"", scheme) for origin in origins):
        return ANOTHER_SITE
    return None


@lru_cache(maxsize=64)  # the same few are asked for with every request
def is_name_of_ours(host: bytes, hosts: frozenset[str]) -> bool:
    """Tell whether a `Host` is an address, localhost or one of `hosts`, with any port."""
    name = _split(host)[0].decode("latin-1").removesuffix(".")
    if name in hosts or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    is_mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    return not (is_mapped or address.is_unspecified)


def is_origin_of(origin: bytes, host: bytes, scheme: str) -> bool:
    """Tell whether a page of this `Origin` comes from where this `Host` leads to.

    Without TLS of our own there may be a proxy that has it; then the page's scheme tells the port.
    """
    match = _ORIGIN.fullmatch(origin.lower())
    if match is None:
        return False
    name, port = _split(match[2])
    our_name, our_port = _split(host)
    default = _PORTS[match[1]]
    ours = _PORTS[b"https"] if scheme == "https" else default
    port, our_port = (default if port is None else port), (ours if our_port is None else our_port)
    return bool(name) and (name, port) == (our_name, our_port)


def _split(authority: bytes) -> Authority:
    """Split `name:port`; the name is empty where it is none."""
    match = _AUTHORITY.fullmatch(authority.lower())
    return (b"", None) if match is None else (match[1], int(match[2]) if match[2] else None)
