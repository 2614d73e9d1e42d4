"""One request and its response: the ASGI 3 interface to the application.

Rule: the application is called in the connection's own task, and reads from the client itself, with
`receive`: the body as it arrives, then the next event, which is the disconnect. So a request costs
no task, and an application that waits for coffee notices a disconnect while it waits.

An application's error is handled here: before its response it becomes a 500, after that the
connection is closed. A client's error in its body is raised by `receive`.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

import trio
from starlette.types import Message, Scope

from cafe.server.request import NO_BODY, BadRequest, Head, body_of
from cafe.server.response import ResponseError, ResponseWriter, Stage

if TYPE_CHECKING:
    from cafe.server.connection import Connection

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
# ASGI 2.4 has a `send` that raises after a disconnect.
ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
BODY_LIMIT: Final = "cafe.body_limit"
CONNECTION: Final = "cafe.connection"
"""The ASGI extension under which an application finds the connection, to watch for a disconnect."""
MAX_BODY: Final = 64 * 1024
TOO_LARGE: Final = "A body may have {} bytes."
UNFINISHED: Final = "the application returned before its response was complete"
TOO_SLOW: Final = "The body took longer than {:g} s."


def allow_body(scope: Scope, max_bytes: int) -> None:
    """Allow this request a larger body; call it before the body is received."""
    scope["extensions"][BODY_LIMIT] = max_bytes


class Exchange:
    """A request and its response on one connection."""

    __slots__ = (
        "_body",
        "_body_deadline",
        "_body_delivered",
        "_complete",
        "_connection",
        "_continue_done",
        "_continue_sent",
        "_extensions",
        "_head",
        "_left",
        "_piece",
        "_received",
        "_refusal",
        "_response",
        "_wait",
    )

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection = connection
        self._extensions: dict[str, Any] = {BODY_LIMIT: MAX_BODY, CONNECTION: connection}
        self._head = head
        self._response = ResponseWriter(head, {})
        self._body = body_of(head.body_length) if head.body_length else NO_BODY
        self._body_deadline: float | None = None
        self._piece = b""
        self._received = 0
        self._refusal: BadRequest | None = None  # for a fault in the client's body
        self._body_delivered = False  # to the application, to its end
        self._continue_sent = False if head.expects_continue else None
        self._continue_done: trio.Event | None = None
        self._left = False  # the client has disconnected
        self._complete = False  # the response, for an application that receives
        self._wait: trio.CancelScope | None = None  # of `receive`

    async def run(self) -> bool:
        """Call the application; return whether another request can follow on the connection."""
        context = self._connection.context
        # Not an attribute: the application puts objects there that refer to this, a garbage cycle.
        scope = scope_of(self._connection, self._head, self._extensions)
        try:
            if not self._body.complete:
                self._take()  # a fault in a body that has arrived needs no application
            await context.app(scope, self.receive, self.send)
            if self._response.stage is not Stage.COMPLETE and not self._left:
                raise ResponseError(UNFINISHED)  # noqa: TRY301 - as from `send`
        except Exception as error:  # noqa: BLE001 - it ends only this exchange
            refusal = self._refusal or BadRequest(500)
            if self._refusal is None:
                request_id = context.problems.request_id(scope)
                context.log_failure("application failed", exc_info=error, request_id=request_id)
            await self._refuse(refusal, scope)
        if self._body.complete or self._response.closes:
            return not (self._left or self._response.closes)
        return await self._discard_body()

    async def receive(self) -> Message:
        """Return the next piece of the body, then wait until the client disconnects.

        Raises BadRequest for a body that is too large, too slow, or not HTTP.
        """
        if self._body_delivered or self._complete:
            await self._wait_for_disconnect()
            return {"type": "http.disconnect"}
        return await self._receive_piece()

    async def send(self, message: Message) -> None:
        """Send a part of the response; nothing is sent to a client that has disconnected."""
        response = self._response
        if self._continue_done is not None:  # `receive` is sending an interim response
            await self._continue_done.wait()
        if response.stage is Stage.AWAITED:
            response.closes |= self._connection.is_last
            if not self._body.complete:
                response.closes |= self._body_never_comes()
            response.defaults = self._connection.context.default_headers()  # with the current date
        written = response.write(message)
        if written and not self._left:
            await self._connection.send(written)
        if response.stage is Stage.BODY:
            await trio.lowlevel.checkpoint()  # an endless response must let other tasks run
        elif response.stage is Stage.COMPLETE:
            self._complete = True
            if self._wait is not None:
                self._wait.cancel()

    def _reject(self, status: int, detail: str) -> BadRequest:
        """Return the error to raise; it is also the response, unless one has started."""
        self._response.closes = True
        self._refusal = BadRequest(status, detail)
        return self._refusal

    def _take(self) -> None:
        """Move the body's bytes out of those that have arrived."""
        try:
            piece, self._connection.unread = self._body.take(self._connection.unread)
        except BadRequest as refusal:
            raise self._reject(refusal.status_code, refusal.detail) from None
        self._piece += piece
        self._received += len(piece)

    async def _receive_piece(self) -> Message:
        most = self._extensions[BODY_LIMIT]
        if most < self._head.body_length < inf:
            raise self._reject(413, TOO_LARGE.format(most))
        while not (self._left or self._complete):
            if self._received > most:
                raise self._reject(413, TOO_LARGE.format(most))
            if self._piece or self._body.complete:
                piece, self._piece = self._piece, b""
                more = not self._body.complete
                self._body_delivered = not more
                return {"type": "http.request", "body": piece, "more_body": more}
            await self._receive_more()
            self._take()
        return {"type": "http.disconnect"}

    async def _receive_more(self) -> None:
        connection = self._connection
        if self._continue_sent is False and not self._response.has_started:
            self._continue_sent = True
            self._continue_done = trio.Event()
            try:
                await connection.send(CONTINUE)
            finally:
                self._continue_done.set()
        await trio.lowlevel.checkpoint()  # an endless body must let other tasks run
        if self._complete:
            return
        timeout = connection.context.config.body_timeout
        if self._body_deadline is None:
            self._body_deadline = trio.current_time() + timeout
        with trio.move_on_at(self._body_deadline) as self._wait:
            self._left = not await connection.receive_more()
        if self._wait.cancelled_caught and not self._complete:
            raise self._reject(408, TOO_SLOW.format(timeout))

    async def _wait_for_disconnect(self) -> None:
        if self._left or self._complete:
            await trio.lowlevel.checkpoint()
            return
        with trio.CancelScope() as self._wait:
            await self._connection.wait_for_disconnect()
            self._left = True

    def _body_never_comes(self) -> bool:
        """Return whether the client will not send the rest of the body."""
        return self._continue_sent is False or (
            self._extensions[BODY_LIMIT] < self._head.body_length < inf
        )

    async def _refuse(self, refusal: BadRequest, scope: Scope) -> None:
        """Close the connection after this; send an error response if none has started."""
        self._response.closes = True
        if not (self._response.has_started or self._left):
            status, detail = refusal.status_code, refusal.detail
            context = self._connection.context
            await self._connection.send(context.write_problem(self._head, scope, status, detail))

    async def _discard_body(self) -> bool:
        """Read the rest of the body; return whether another request can follow."""
        self._complete = False  # or nothing would be received
        try:
            while not self._body.complete and not self._left:
                await self._receive_piece()
        except BadRequest:
            return False
        return not self._left


def scope_of(connection: Connection, head: Head, extensions: dict[str, Any]) -> Scope:
    """Return the ASGI scope of a request."""
    return {
        "type": "http",
        "asgi": ASGI,
        "http_version": head.version,
        "method": head.method,
        "scheme": connection.scheme,
        "path": head.path,
        "raw_path": head.raw_path,
        "query_string": head.query,
        "root_path": "",
        "headers": head.headers.copy(),
        "client": connection.peer,
        "server": connection.own,
        "state": connection.context.state.copy(),
        "extensions": extensions,
    }
