"""Every path exists bare and under its app's prefix.

Rule: the prefix is ASGI's `root_path`; routing and `Location` take it into account by themselves.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class Prefix:
    """ASGI middleware that serves an app under a prefix as well as bare."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the prefix as `root_path` where the request used it."""
        if scope["type"] == "http" and f"{scope['path']}/".startswith(f"{self._prefix}/"):
            scope["root_path"] = self._prefix
        await self._app(scope, receive, send)


def bare_path(scope: Scope) -> str:
    """Give the request's path without the prefix that it used."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"
