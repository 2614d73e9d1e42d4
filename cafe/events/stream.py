"""Streams: responses that last until the client disconnects, a time limit, or shutdown.

Rule: a stream has no queue. The next piece is made when the last one was sent, so a slow client
gets less, and a client that reads nothing is disconnected by the connection's send time-out. The
kernel's send buffer is bounded, too; otherwise a dead client would look alive until it is full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Final, Protocol

import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cafe.events.sse import MEDIA_TYPE, RETRY
from cafe.http.disconnect import connection_of, unless_disconnected
from cafe.http.outer_layer import answered_now
from cafe.http.problem import NO_STORE

MOST_SECONDS: Final = 900.0
"""The time limit of a stream that a token has opened: the token may be revoked."""
HEAD: Final = (
    (b"content-type", f"{MEDIA_TYPE}; charset=utf-8".encode()),
    NO_STORE,
    (b"x-accel-buffering", b"no"),  # a proxy must not buffer it
)


class Source(Protocol):
    """Produces the pieces of a stream."""

    async def next(self) -> bytes:
        """Wait for the next piece, and return it."""
        ...

    def close(self) -> None:
        """Release the state of the stream, which has ended."""


class Streams:
    """The open streams, counted by the name of their app."""

    def __init__(self) -> None:
        """Begin without streams."""
        self.open: Counter[str] = Counter()
        self._scopes: set[trio.CancelScope] = set()

    def end_all(self) -> int:
        """End all streams; return how many there were."""
        for scope in self._scopes:
            scope.cancel()
        return len(self._scopes)

    @contextmanager
    def opened(self, app: str, seconds: float) -> Generator[None]:
        """Count a stream during the block, which is cancelled after this many seconds."""
        with trio.CancelScope(deadline=trio.current_time() + seconds) as scope:
            self._scopes.add(scope)
            self.open[app] += 1
            try:
                yield
            finally:
                self._scopes.discard(scope)
                self.open[app] -= 1


@dataclass(eq=False)
class EventStream(Response):
    """A response that sends the pieces of a source."""

    source: Source
    streams: Streams
    app: str
    seconds: float = inf
    status_code: int = 200
    background: None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the time limit, the end of all streams, or a disconnect."""
        try:
            head = {"status": self.status_code, "headers": HEAD}
            await send({"type": "http.response.start", **head})
            if scope["method"] != "HEAD":
                answered_now(scope)
                if (connection := connection_of(scope)) is not None:
                    connection.keep_little_unsent()
                with self.streams.opened(self.app, self.seconds):
                    sending = partial(self._send_all, send)
                    await unless_disconnected(Request(scope, receive), sending)
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.source.close()

    async def _send_all(self, send: Send) -> None:
        piece = RETRY
        while True:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await self.source.next()
