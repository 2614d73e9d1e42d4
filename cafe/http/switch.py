"""An ASGI app in whose place another one is put, as soon as there is one.

Rule: requests that have begun end in the app that they began in.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send


class Switch:
    """Calls the app that is in place now."""

    def __init__(self, app: ASGIApp) -> None:
        """Call `app`, until `app` is set to another one."""
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        return self.app(scope, receive, send)
