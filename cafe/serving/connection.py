"""One connection, from accept to close, in place of hypercorn's TCPServer for trio.

Rule: whatever a client does or an application fails at, only this connection ends, and it ends in
time: nothing here waits without a deadline, but for the application.

A connection has one task that reads, and a task for each request. The reader's cancel scope is the
one deadline: for the TLS handshake, a head, an idle connection, and what lingers after the last
answer; while a request is being answered there is none. `abort` ends it at any time.
Sends have a deadline each. When the reader is done the application is told of a disconnect, and
when it is done too, the connection is closed.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from ssl import SSLContext

import structlog
import trio
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState

from cafe.serving.admission import Admission, Lease
from cafe.serving.config import DoorConfig
from cafe.serving.contain import Contained, Throttle
from cafe.serving.http1 import Address, Http1
from cafe.serving.request import RequestTasks

PIECE = 2**16
"""Bytes that a client has to take within one `send_timeout`."""

GOODBYE_SECONDS = 1.0
"""For TLS to say that this was all."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("connection")

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


@dataclass(frozen=True, slots=True)
class Door:
    """What the connections of one server share."""

    app: AppWrapper
    config: DoorConfig
    context: WorkerContext
    state: ConnectionState
    admission: Admission
    throttle: Throttle = field(default_factory=Throttle)
    connections: set[Connection] = field(default_factory=set["Connection"])

    def tell(self, event: str, **values: object) -> None:
        """Log a contained failure, unless there have been many just now."""
        if self.throttle.passes():
            # A log that fails must not end what it tells of: a traceback in colours reads source
            # files, for which there may be no descriptor.
            with suppress(Exception):
                log.error(event, held_back=self.throttle.take_held_back(), **values)


class Connection:
    """Serves one accepted socket until either side is done with it."""

    def __init__(
        self,
        door: Door,
        sock: trio.socket.SocketType,
        *,
        tls: SSLContext | None,
        peer: Address,
        lease: Lease,
    ) -> None:
        """Hold what has been accepted; from now on a ban or a stop closes it."""
        self._door = door
        self._config = door.config
        self._socket = sock
        self._stream: Stream = trio.SocketStream(sock)
        if tls is not None:
            self._stream = trio.SSLStream(
                self._stream, tls, server_side=True, https_compatible=True
            )
        self._tasks = RequestTasks(self._tell_of_application)
        self._protocol = Http1(
            door.app,
            door.config,
            door.context,
            self._tasks,
            door.state,
            tls is not None,
            peer,
            own_address(sock),
            self._take,
        )
        self._sending = trio.Lock()
        self._reading = trio.CancelScope()
        self._idle = True
        self._head_begun = False
        self._lingering = False
        self._lease = lease
        lease.on_ban = self.abort
        door.connections.add(self)

    async def run(self) -> None:
        """Serve until it is closed; give the lease back then."""
        try:
            with Contained(self._tell_of_failure):
                async with self._tasks:
                    await self._serve()
        finally:
            self._door.connections.discard(self)
            self._lease.release()
            await self._close()

    def abort(self) -> None:
        """Reset the connection, in whatever state; its application is told of a disconnect."""
        reset(self._socket)
        self._reading.cancel()

    def close_when_idle(self) -> None:
        """Close it now, unless a request is being answered."""
        if self._idle:
            self._reading.cancel()

    async def _serve(self) -> None:
        with self._reading:
            if await self._shake_hands():
                self._set_deadline(self._config.head_timeout)
                await self._read()
        if self._reading.cancelled_caught and trio.current_time() >= self._reading.deadline:
            await self._protocol.time_out()
        await self._protocol.handle(Closed())

    async def _shake_hands(self) -> bool:
        if isinstance(self._stream, trio.SSLStream):
            self._set_deadline(self._config.ssl_handshake_timeout)
            try:
                await self._stream.do_handshake()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return False
        return True

    async def _read(self) -> None:
        while data := await self._receive():
            if self._idle and not self._head_begun:
                self._head_begun = True
                self._set_deadline(self._config.head_timeout)
            if not self._lingering:
                await self._protocol.handle(RawData(data))
        if not self._lingering:
            await self._protocol.handle(RawData(b""))

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(PIECE))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    async def _take(self, event: Event) -> None:
        """Do what the protocol wants: send, be idle or not, close."""
        if isinstance(event, RawData):
            await self._send(event.data)
        elif isinstance(event, Updated):
            self._idle, self._head_begun = event.idle, False
            self._set_deadline(self._config.keep_alive_timeout if event.idle else inf)
        elif isinstance(event, Closed):
            await self._linger()
            await self._protocol.handle(event)

    async def _send(self, data: bytes) -> None:
        try:
            async with self._sending:
                for start in range(0, len(data), PIECE):
                    with trio.move_on_after(self._config.send_timeout) as patience:
                        await self._stream.send_all(data[start : start + PIECE])
                    if patience.cancelled_caught:
                        self.abort()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.abort()
        except trio.Cancelled:  # half an answer must not be followed by another
            self.abort()
            raise

    async def _linger(self) -> None:
        """Send no more, but read for a while: closing on unread bytes would reset the answer."""
        self._lingering, self._idle = True, False
        self._set_deadline(self._config.linger_timeout)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with self._sending:
                if isinstance(self._stream, trio.SocketStream):
                    await self._stream.send_eof()

    async def _close(self) -> None:
        with trio.move_on_after(GOODBYE_SECONDS), suppress(trio.ClosedResourceError):
            await self._stream.aclose()
        self._socket.close()

    def _set_deadline(self, seconds: float) -> None:
        self._reading.deadline = trio.current_time() + seconds

    def _tell_of_application(self, error: BaseException, instance: str) -> None:
        self._door.tell("application failed", exc_info=error, instance=instance)

    def _tell_of_failure(self, error: BaseException) -> None:
        self._door.admission.isolated += 1
        self._door.tell("connection isolated", exc_info=error)


def own_address(sock: trio.socket.SocketType) -> Address | None:
    """Give the address that the client reached, None on platforms where a reset takes it away."""
    try:
        host, port = sock.getsockname()[:2]
    except OSError:
        return None
    return host, port


def reset(sock: trio.socket.SocketType) -> None:
    """Close a socket at once: what was not sent is dropped, and the peer reads a reset."""
    with suppress(OSError):  # it may be closed already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
