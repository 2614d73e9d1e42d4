"""An ASGI app that can be replaced by another one while it serves.

Rule: a request ends in the app that it began in.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send


class Switch:
    """Calls the current app."""

    def __init__(self, app: ASGIApp) -> None:
        """Call `app` until the attribute is set to another app."""
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        return self.app(scope, receive, send)
