"""Every path exists bare and under its app's prefix, with and without its last slash.

Rule: whatever is further in sees one spelling. The prefix is ASGI's `root_path`, which routing and
`Location` take into account by themselves; a last slash is taken off.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send


class Prefix:
    """ASGI middleware that serves an app under a prefix as well as bare, and takes slashes off."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._below = f"{prefix}/"

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Name the prefix as `root_path` where the request used it.

        Waits for nothing itself, so it is no frame for who waits in it.
        """
        if scope["type"] == "http":
            path = scope["path"]
            if path[-1:] == "/" and path[-2:] not in {"/", "//"}:
                scope["path"] = path = path[:-1]
            if path.startswith(self._below) or path == self._prefix:
                scope["root_path"] = self._prefix
        return self._app(scope, receive, send)


def bare_path(scope: Scope) -> str:
    """Give the request's path without the prefix that it used."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"
