"""One request's life: what the application is told of it (ASGI 3), and what becomes of its answer.

Rule: the application is called in the connection's own task, and reads from the client itself, with
`receive`: its body as it comes, then the next thing that happens, which is that he leaves. So a
request costs no task, and who waits for coffee is seen leaving by whoever waits with him.

What the application does wrong stays here: before its answer it becomes a 500, after that the end
of the connection. What the client does wrong in his body is raised out of `receive`.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

import trio
from starlette.types import Message, Scope

from cafe.http.disconnect import CONNECTION
from cafe.http.problem import instance_of
from cafe.server.bodies import body_of
from cafe.server.request import BadRequest, Head
from cafe.server.response import Answer, AnswerError, Stage, write_problem

if TYPE_CHECKING:
    from cafe.server.connection import Connection

GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
# ASGI 2.4 has a `send` that raises after a hang-up.
ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
BODY_LIMIT: Final = "cafe.body_limit"
MAX_BODY: Final = 64 * 1024
TOO_LARGE: Final = "A body may have {} bytes."
TOO_SLOW: Final = "The body took longer than {:g} s."


def allow_body(scope: Scope, max_bytes: int) -> None:
    """Let this request have a larger body than others; in time, before it is received."""
    scope["extensions"][BODY_LIMIT] = max_bytes


class Exchange:
    """A request and its answer on one connection."""

    __slots__ = (
        "_answer",
        "_body",
        "_body_deadline",
        "_body_given",
        "_connection",
        "_extensions",
        "_going_on",
        "_head",
        "_is_over",
        "_left",
        "_piece",
        "_received",
        "_refusal",
        "_told_to_go_on",
        "_watch",
    )

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection = connection
        self._extensions: dict[str, Any] = {
            BODY_LIMIT: MAX_BODY,
            CONNECTION: connection,
        }
        self._head = head
        self._answer = Answer(head, {})
        self._body = body_of(head.body_length)
        self._body_deadline: float | None = None
        self._piece = b""
        self._received = 0
        self._refusal: BadRequest | None = None  # of what the client has sent
        self._body_given = False  # to the application, to its end
        self._told_to_go_on = False if head.expects_continue else None
        self._going_on: trio.Event | None = None
        self._left = False  # the client
        self._is_over = False  # for the application: the answer is complete
        self._watch: trio.CancelScope | None = None

    async def run(self) -> bool:
        """Have it answered; tell whether the connection can go on."""
        door = self._connection.door
        # Not kept: what the application puts in there leads back to us, and would need collecting.
        scope = scope_of(self._connection, self._head, self._extensions)
        try:
            if not self._body.complete:
                self._take()  # what is wrong in a body that is there needs no application
            await door.app(scope, self.receive, self.send)
            self._check_complete()
        except Exception as error:  # noqa: BLE001 - it ends no more than this exchange
            no = self._refusal or BadRequest(500)
            if self._refusal is None:
                door.tell("application failed", exc_info=error, instance=instance_of(scope))
            await self._refuse(no, scope)
        if self._body.complete or self._answer.closes:
            return not (self._left or self._answer.closes)
        return await self._discard_rest()

    async def receive(self) -> Message:
        """Give the next piece of the body, then wait until the client leaves.

        Raises BadRequest for a body that is too large, too slow, or not HTTP.
        """
        if self._body_given or self._is_over:
            await self._hang_up()
            return {"type": "http.disconnect"}
        return await self._receive_piece()

    async def send(self, message: Message) -> None:
        """Send a part of the answer; nothing happens where the client has left."""
        if self._going_on is not None:  # whoever receives is telling him so
            await self._going_on.wait()
        if self._answer.stage is Stage.AWAITED:
            self._answer.closes |= self._is_last()
            self._answer.defaults = self._connection.door.headers()  # with the date of now
        written = self._answer.write(message)
        if written and not self._left:  # what a client that has left asked for was given up
            await self._connection.send(written)
        if self._answer.stage is Stage.BODY:
            await trio.lowlevel.checkpoint()  # an endless answer leaves time to others
        elif self._answer.stage is Stage.COMPLETE:
            self._is_over = True  # and who receives is told so
            if self._watch is not None:
                self._watch.cancel()

    def _check_complete(self) -> None:
        if self._answer.stage is not Stage.COMPLETE and not self._left:
            raise AnswerError("the application has ended, and its answer has not")

    def _no(self, status: int, detail: str) -> BadRequest:
        """Give what to raise; from now on it is the answer, if there is none yet."""
        self._answer.closes = True
        self._refusal = BadRequest(status, detail)
        return self._refusal

    def _take(self) -> None:
        """Take what there is of the body."""
        try:
            piece, self._connection.unread = self._body.take(self._connection.unread)
        except BadRequest as no:
            raise self._no(no.status_code, no.detail) from None
        self._piece += piece
        self._received += len(piece)

    async def _receive_piece(self) -> Message:
        most = self._extensions[BODY_LIMIT]
        if most < self._head.body_length < inf:
            raise self._no(413, TOO_LARGE.format(most))
        while not (self._left or self._is_over):
            if self._received > most:
                raise self._no(413, TOO_LARGE.format(most))
            if self._piece or self._body.complete:
                piece, self._piece = self._piece, b""
                self._body_given = self._body.complete
                return {"type": "http.request", "body": piece, "more_body": not self._body_given}
            await self._receive_more()
            self._take()
        return {"type": "http.disconnect"}

    async def _receive_more(self) -> None:
        connection = self._connection
        if self._told_to_go_on is False and not self._answer.has_left:
            self._told_to_go_on = True
            self._going_on = trio.Event()
            try:
                await connection.send(GO_ON)
            finally:
                self._going_on.set()
        await trio.lowlevel.checkpoint()  # an endless body leaves time to others
        if self._is_over:
            return
        timeout = connection.door.config.body_timeout
        if self._body_deadline is None:
            self._body_deadline = trio.current_time() + timeout
        with trio.move_on_at(self._body_deadline) as self._watch:
            self._left = not await connection.receive_more()
        if self._watch.cancelled_caught and not self._is_over:
            raise self._no(408, TOO_SLOW.format(timeout))

    async def _hang_up(self) -> None:
        if self._left or self._is_over:
            await trio.lowlevel.checkpoint()
            return
        with trio.CancelScope() as self._watch:
            await self._connection.wait_hang_up()
            self._left = True

    def _is_last(self) -> bool:
        """Tell whether the connection ends with this answer, as far as it is known before."""
        most = self._extensions[BODY_LIMIT]
        never_comes = self._told_to_go_on is False or most < self._head.body_length < inf
        return self._connection.is_last or (never_comes and not self._body.complete)

    async def _refuse(self, no: BadRequest, scope: Scope) -> None:
        """Answer with a problem if the client has been told nothing yet, and close."""
        self._answer.closes = True
        if not (self._answer.has_left or self._left):
            defaults = self._connection.door.headers()
            problem = write_problem(self._head, defaults, scope, no.status_code, no.detail)
            await self._connection.send(problem)

    async def _discard_rest(self) -> bool:
        """Read what the application has not; tell whether another request can follow."""
        self._is_over = False  # for ourselves
        try:
            while not self._body.complete and not self._left:
                await self._receive_piece()
        except BadRequest:
            return False
        return not self._left


def scope_of(connection: Connection, head: Head, extensions: dict[str, Any]) -> Scope:
    """Give what ASGI tells of a request."""
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
        "state": connection.door.state.copy(),
        "extensions": extensions,
    }
