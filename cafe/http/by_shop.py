"""Several shops behind one port: which of them a request is for, by its host name or its path.

Rule: the path goes first: `/shops/NAME/` is that shop at every host. What is for no shop, as a load
balancer's look at the health of all, has an app of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.http.authority import split_authority

PREFIX: Final = "/shops"


def base_of(shop: str) -> str:
    """Return what the paths of a shop begin with."""
    return f"{PREFIX}/{shop}"


class ByShop:
    """An ASGI app that calls the one of the shop that a request is for."""

    def __init__(
        self, apps: Mapping[str, ASGIApp], hosts: Mapping[str, str], otherwise: ASGIApp
    ) -> None:
        """Call one of `apps`, by the names of their shops; `hosts` has the names by host."""
        self._otherwise = otherwise
        self._by_base = {base_of(name): app for name, app in apps.items()}
        self._by_host = {host: apps[name] for host, name in hosts.items()}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        app = self._otherwise
        if scope["type"] == "http":
            base = "/".join(scope["path"].split("/", 3)[:3])
            app = self._by_base.get(base) or self._by_host.get(host_of(scope)) or app
        return app(scope, receive, send)


def host_of(scope: Scope) -> str:
    """Return the host name of a request as settings have it; "" where there is none."""
    for name, value in scope["headers"]:
        if name == b"host":
            return split_authority(value)[0].removesuffix(".")
    return ""
