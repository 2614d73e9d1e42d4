"""HTTP/1.1 on one connection: hypercorn's H11Protocol, without what is not needed here.

Rule: what is not needed is not reachable. No HTTP/2, neither by prior knowledge nor by upgrade, no
WebSocket, no CONNECT: an upgrade is ignored, and the request served as the HTTP/1.1 that it is.

Parsing has one owner at a time, the lock's: mostly the reader, who brings bytes; after an answer
the next request, if its bytes had been pipelined. So the reader never waits for an answer, and
sees a client leave at any time, unless he has pipelined more than is read ahead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import h11
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, EndBody, Request, Response
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.typing import (
    AppWrapper,
    ConnectionState,
    H11SendableEvent,
    TaskGroup,
    WorkerContext,
)

from cafe.serving.request import AnswerStream, bare_problem

READ_AHEAD = 2**16
"""Bytes that may be pipelined behind a request before the client has to wait for its answer."""

DETAILS: Mapping[int, str] = {
    400: "This is not HTTP/1.1 as RFC 9112 has it.",
    408: "The head of the request took too long.",
    431: "The head of the request is too large.",
    501: "The method or the transfer coding is not implemented.",
    505: "Only HTTP/1.1 and HTTP/1.0 are spoken here.",
}

Address = tuple[str, int]


class Http1(H11Protocol):
    """Requests in, answers out, for as long as both sides keep the connection alive."""

    # hypercorn puts a WebSocket in its place, which here never happens
    connection: h11.Connection  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(  # noqa: PLR0917 - hypercorn's signature
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        task_group: TaskGroup,
        connection_state: ConnectionState,
        ssl: bool,  # noqa: FBT001 - the same
        client: Address | None,
        server: Address | None,
        send: Callable[[Event], Awaitable[None]],
    ) -> None:
        super().__init__(
            app, config, context, task_group, connection_state, ssl, client, server, send
        )
        # hypercorn's annotation leaves the parameters open
        self._spawn: Callable[[Callable[[], Awaitable[None]]], None] = task_group.spawn  # pyright: ignore[reportUnknownMemberType]
        self._parsing = trio.Lock()
        self._outgoing = bytearray()
        self._closed = False

    async def handle(self, event: Event) -> None:
        """Take what the client sends, b"" for his end of file, or that the connection closes."""
        if isinstance(event, Closed):
            self._closed = True
            await self.can_read.set()
            await self._close_stream()
        elif isinstance(event, RawData):
            self.connection.receive_data(event.data)
            await self._handle_events()
            await self._wait_for_room()

    async def time_out(self) -> None:
        """Tell a client who began a head and did not finish it in time."""
        if self.connection.our_state is h11.IDLE and self.connection.trailing_data[0]:
            await self._send_error_response(408)

    async def stream_send(self, event: StreamEvent) -> None:
        """Take a part of the answer from the stream."""
        if isinstance(event, Response) and self.context.terminated.is_set():
            event = replace(event, headers=[*event.headers, (b"connection", b"close")])
        await super().stream_send(event)

    async def flush(self) -> None:
        """Send what has been kept back, so that a head leaves together with its body."""
        if self._outgoing:
            data, self._outgoing = bytes(self._outgoing), bytearray()
            await self.send(RawData(data))

    async def _send_h11_event(self, event: H11SendableEvent) -> None:
        try:
            self._outgoing += self.connection.send(event)
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
        if not isinstance(event, (h11.Response, h11.Data)):
            await self.flush()

    async def _handle_events(self) -> None:
        async with self._parsing:
            # after a last request (`close`, HTTP/1.0) come stray bytes at most
            while not self._closed and self.connection.their_state is not h11.MUST_CLOSE:
                try:
                    if self.connection.they_are_waiting_for_100_continue:
                        go_on = h11.InformationalResponse(status_code=100, headers=[])
                        await self._send_h11_event(go_on)
                    event = self.connection.next_event()
                    if event is h11.NEED_DATA or event is h11.PAUSED:
                        return
                    await self._handle_event(event)
                except h11.RemoteProtocolError as error:
                    await self._reject(error.error_status_hint)

    async def _handle_event(self, event: h11.Event | type[h11.NEED_DATA | h11.PAUSED]) -> None:
        if isinstance(event, h11.Request):
            await self.send(Updated(idle=False))
            await self._check_protocol(event)
            await self._create_stream(event)
        elif isinstance(event, h11.ConnectionClosed):
            self._closed = True
        elif isinstance(event, h11.Data):
            if self.stream is not None:
                await self.stream.handle(Body(STREAM_ID, bytes(event.data)))
        elif self.stream is not None:
            await self.stream.handle(EndBody(STREAM_ID))
        else:
            await self._maybe_recycle()

    async def _check_protocol(self, event: h11.Request) -> None:
        if event.http_version not in {b"1.1", b"1.0"}:
            raise h11.RemoteProtocolError("not HTTP/1", error_status_hint=505)
        if event.method == b"CONNECT":
            raise h11.RemoteProtocolError("not a proxy", error_status_hint=501)

    async def _create_stream(self, request: h11.Request) -> None:
        stream = AnswerStream(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        stream.flush = self.flush
        self.stream = stream
        self.keep_alive_requests += 1
        await stream.handle(
            Request(
                STREAM_ID,
                list(request.headers),
                request.http_version.decode(),
                request.method.decode().upper(),
                request.target,
                self.connection_state,
            )
        )

    async def _reject(self, status: int) -> None:
        if self.connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self._send_error_response(status)
        await self.send(Closed())

    async def _send_error_response(self, status_code: int) -> None:
        # What is no request gets an id of its own.
        headers, body = bare_problem(status_code, {}, DETAILS.get(status_code, ""))
        headers += self.config.response_headers("h11")
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())

    async def _maybe_recycle(self) -> None:
        """After an answer, go on to the next request, unless a side closes."""
        await self._close_stream()
        ours, theirs = self.connection.our_state, self.connection.their_state
        may_go_on = ours is h11.DONE and theirs in {h11.DONE, h11.SEND_BODY}
        if not may_go_on or self._closed or self.context.terminated.is_set():
            await self.send(Closed())
            return
        await self.send(Updated(idle=True))
        if theirs is h11.DONE:  # else what is left of a body that nobody read is thrown away first
            self.connection.start_next_cycle()
            await self.can_read.set()
            if self.connection.trailing_data[0]:
                self._spawn(self._handle_events)

    async def _wait_for_room(self) -> None:
        most = READ_AHEAD + self.config.h11_max_incomplete_size
        while len(self.connection.trailing_data[0]) > most and not self._closed:
            await self.can_read.clear()
            await self.can_read.wait()
