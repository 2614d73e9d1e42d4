"""Request bodies: small and soon, or refused.

Rule: the application begins when the body is there, so nothing in it can be kept waiting by a slow
one. A request without a body costs one look at its headers; none costs a task.
"""

from __future__ import annotations

from math import inf

import trio
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cafe.serving.problem import problem_response

CLOSE = (b"connection", b"close")


class BodyLimits:
    """ASGI middleware: a body over `max_bytes` is a 413, one slower than `seconds` a 408.

    Both close the connection. Whoever hangs up in his body is not answered; what comes after the
    body, which is `http.disconnect`, reaches the application undelayed.
    """

    def __init__(self, app: ASGIApp, max_bytes: int = 65536, seconds: float = 10.0) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse its body."""
        length = announced_length(scope)
        if length == 0:
            await self._app(scope, receive, send)
        elif self._max_bytes < length < inf:
            await self._too_large(scope)(scope, receive, send)
        else:
            await self._with_body(scope, receive, send)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        message: Message | None = None
        with trio.move_on_after(self._seconds):
            message = await self._read(receive)
        if message is None:
            await self._too_slow(scope)(scope, receive, send)
        elif len(message.get("body", b"")) > self._max_bytes:
            await self._too_large(scope)(scope, receive, send)
        elif message["type"] == "http.request":
            await self._app(scope, _preceded_by(message, receive), send)

    async def _read(self, receive: Receive) -> Message:
        """Give the body as one message, cut once it is too large; or a disconnect."""
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body", False) or len(body) > self._max_bytes:
                return {"type": "http.request", "body": bytes(body), "more_body": False}
        return message

    def _too_large(self, scope: Scope) -> Response:
        detail = f"A body may have {self._max_bytes} bytes."
        return problem_response(scope, 413, detail=detail, headers=[CLOSE])

    def _too_slow(self, scope: Scope) -> Response:
        detail = f"The body took longer than {self._seconds:g} s."
        return problem_response(scope, 408, detail=detail, headers=[CLOSE])


def announced_length(scope: Scope) -> float:
    """Give the length of the body that the head announces; infinity for a chunked one."""
    if scope["type"] != "http":
        return 0
    length = 0.0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return inf
        if name == b"content-length":
            length = int(value)
    return length


def _preceded_by(message: Message, receive: Receive) -> Receive:
    unread = [message]

    async def received() -> Message:
        return unread.pop() if unread else await receive()

    return received
