"""Several shops behind one port: requests are routed to a shop by path or host name.

Rule: the path has precedence: `/shops/NAME/` is that shop at every host. Requests for no shop, such
as a load balancer's health check, have an app of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.http.authority import split_authority

PREFIX: Final = "/shops"


def base_of(shop: str) -> str:
    """Return the prefix of a shop's paths."""
    return f"{PREFIX}/{shop}"


def base_used(scope: Scope) -> str:
    """Return what the path of a request began with, for its shop; "" if that is its host's."""
    prefix: str = scope.get("root_path", "")
    return "/".join(prefix.split("/", 3)[:3]) if prefix.startswith(f"{PREFIX}/") else ""


class ByShop:
    """An ASGI app that calls the app of the shop that a request is for."""

    def __init__(
        self, apps: Mapping[str, ASGIApp], hosts: Mapping[str, str], otherwise: ASGIApp
    ) -> None:
        """Route to `apps`, by shop name; `hosts` has the shop names by host."""
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
    """Return the host name of a request in the form of the settings; "" if there is none."""
    for name, value in scope["headers"]:
        if name == b"host":
            return split_authority(value)[0].removesuffix(".")
    return ""
