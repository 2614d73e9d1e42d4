"""One request on its way through the application: its inbox, its task, its answer.

Rule: an application that fails is a 500 and a line of log, or a closed connection where its answer
had begun; nothing else notices.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.protocol.events import Body, EndBody, Response
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, Scope

from cafe.serving.contain import Contained
from cafe.serving.problem import MEDIA_TYPE, instance_of, problem_body, request_id_of

DEPTH = 8
"""Pieces of a body (64 KiB at most) that wait for the application before its client has to."""


class Inbox:
    """What the application receives: its body in order, then `http.disconnect`, ever again.

    hypercorn's memory channel in this place blocks the answer itself when nobody reads the body,
    and gives the disconnect only once.
    """

    __slots__ = ("_disconnected", "_messages", "_news")

    def __init__(self) -> None:
        self._messages: list[ASGIReceiveEvent] = []  # a deque has ten times its size
        self._disconnected = False
        self._news = trio.lowlevel.ParkingLot()

    async def put(self, message: ASGIReceiveEvent) -> None:
        """Add a message, when there is room; a disconnect ends all waiting."""
        if message["type"] == "http.disconnect":
            self._disconnected = True
        else:
            while len(self._messages) >= DEPTH and not self._disconnected:
                await self._news.park()
            self._messages.append(message)
        self._news.unpark_all()

    async def receive(self) -> ASGIReceiveEvent:
        """Give the next message, when there is one."""
        while not self._messages:
            if self._disconnected:
                await trio.lowlevel.checkpoint()
                return {"type": "http.disconnect"}
            await self._news.park()
        self._news.unpark_all()
        return self._messages.pop(0)


class RequestTasks(TaskGroup):
    """The tasks of one connection: for each request the application, contained."""

    def __init__(self, tell: Callable[[BaseException, str], None]) -> None:
        """Tell of an application's failure with `tell(error, instance)`."""
        super().__init__()
        self._tell = tell

    async def spawn_app(
        self,
        app: AppWrapper,
        config: Config,  # noqa: ARG002 - hypercorn's signature
        scope: Scope,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        """Start the application on a request; give what hands it its messages."""
        inbox = Inbox()
        # hypercorn's annotation leaves the function's parameters open
        self.spawn(self._answer, app, scope, inbox, send)  # pyright: ignore[reportUnknownMemberType]
        return inbox.put

    async def _answer(
        self,
        app: AppWrapper,
        scope: Any,
        inbox: Inbox,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> None:
        with Contained(lambda error: self._tell(error, instance_of(scope))):
            await app(scope, inbox.receive, send, trio.to_thread.run_sync, trio.from_thread.run)
        await send(None)


class AnswerStream(HTTPStream):
    """hypercorn's half of ASGI, with a problem where it has a bare error.

    Its owner keeps what is to be sent until `flush`, so that a head leaves with its body.
    """

    flush: Callable[[], Awaitable[None]]

    async def app_send(self, message: ASGISendEvent | None) -> None:
        """Send a part of the answer; None: the application has ended."""
        await super().app_send(message)
        if message is not None and message["type"] == "http.response.body":
            await self.flush()

    async def _send_error_response(self, status_code: int) -> None:
        headers, body = bare_problem(status_code, self.scope)
        await self.send(Response(self.stream_id, headers, status_code))
        await self.send(Body(self.stream_id, body))
        await self.send(EndBody(self.stream_id))
        self.state = ASGIHTTPState.CLOSED


def bare_problem(
    status: int, scope: Any, detail: str = ""
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Give the headers and the body of a problem after which the connection closes."""
    body = problem_body(status, detail=detail, instance=instance_of(scope))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id_of(scope).encode()),
        (b"connection", b"close"),
    ]
    return headers, body
