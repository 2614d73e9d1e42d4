"""A socket as a trio stream that waits only if the kernel would block.

Rule: no checkpoint if bytes can be sent or received at once. trio's SocketStream has one for each,
twice a request. The connection has one instead, after a request: by then the next request may have
arrived, and needs no wait on epoll.
"""

from __future__ import annotations

import select
import socket
import struct
import termios
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from typing import Final

import trio

from cafe.server.disconnects import Disconnects

PIECE = 2**14
# POLLHUP, used if there is no POLLRDHUP, is reported only once both sides are closed.
PEER_CLOSED = getattr(select, "POLLRDHUP", select.POLLHUP)
FIRST_PAUSE: Final = 0.005
"""Seconds from the first check for an acknowledgement to the second; each pause is doubled."""
MOST_UNSENT: Final = 2**14
"""Bytes of a stream in the kernel's send buffer; Linux doubles it for its own needs."""
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds


class Transport(trio.abc.HalfCloseableStream):
    """The stream of a connection: trio's methods, and the detection of a disconnect."""

    has_left = False
    """Whether the peer is known to have closed its side; a task that watches is cancelled then."""

    @abstractmethod
    def abort(self) -> None:
        """Reset it now, even while a task waits for it."""

    @abstractmethod
    def peer_has_closed(self) -> bool:
        """Return whether the peer has closed its side, without reading what it sent before."""

    async def is_acknowledged(self) -> bool:
        """Wait until the peer has acknowledged all that was sent; False: it has sent a reset.

        True at once if that is unknown. Call it before `send_eof`, which hides it.
        """
        await trio.lowlevel.checkpoint()
        return True

    def keep_little_unsent(self) -> None:
        """Bound the kernel's send buffer, if possible.

        Else it grows to megabytes, and a stream that the client does not read would not block for
        hours.
        """

    def receive_nowait(self) -> bytes:
        """Return bytes that have arrived; b"" if there are none, or reading would wait."""
        return b""

    def watch(self, callback: Callable[[], None]) -> bool:  # noqa: ARG002
        """Call `callback` once the peer closes its side or `abort` is called; False: it cannot.

        Until `unwatch`, and never during this call.
        """
        return False

    def unwatch(self) -> None:
        """Drop the callback."""


def _ignore() -> None:
    """Do nothing, while no callback is registered."""


class EagerStream(Transport):
    """Sends and receives on a connected, non-blocking socket."""

    def __init__(
        self, sock: socket.socket, send_timeout: float, disconnects: Disconnects | None = None
    ) -> None:
        """Fail a send after `send_timeout` seconds in which the peer has read nothing."""
        self._socket = sock
        self._send_timeout = send_timeout
        self._disconnects = disconnects
        self._callback: Callable[[], None] = _ignore
        self._is_dry = False  # nothing was there at the last read: wait before the next

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes and return them, b"" at the end; raises as trio's streams do."""
        if self._is_dry and self._socket.fileno() >= 0:
            self._is_dry = False
            await trio.lowlevel.wait_readable(self._socket)
        while True:
            try:
                return self._socket.recv(max_bytes or PIECE)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._socket)
            except OSError as error:
                raise self._stream_error(error) from error

    def receive_nowait(self) -> bytes:
        """Read without waiting; return b"" if there is nothing."""
        try:
            return self._socket.recv(PIECE)
        except BlockingIOError:
            self._is_dry = True
        except OSError:  # broken or closed: the next receive raises it
            pass
        return b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything; raises BrokenResourceError if the peer stops reading."""
        while True:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                raise self._stream_error(error) from error
            if sent == len(data):
                return
            data = memoryview(data)[sent:]
            await self.wait_send_all_might_not_block()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the peer has read something; raises BrokenResourceError at `send_timeout`."""
        with trio.move_on_after(self._send_timeout) as scope:
            self._check_open()
            await trio.lowlevel.wait_writable(self._socket)
        if scope.cancelled_caught:
            raise trio.BrokenResourceError(f"nothing was read for {self._send_timeout:g} s")

    async def send_eof(self) -> None:
        """Close the sending side; the peer may go on sending."""
        self._check_open()
        with suppress(OSError):  # the peer has disconnected
            self._socket.shutdown(socket.SHUT_WR)
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close it; bytes that were sent are still delivered."""
        self._close()
        await trio.lowlevel.checkpoint()

    def peer_has_closed(self) -> bool:
        """Ask the kernel; True for a socket that is closed here."""
        return self._socket.fileno() < 0 or has_hung_up(self._socket.fileno())

    async def is_acknowledged(self) -> bool:
        """Poll, with growing pauses: there is no event for the acknowledgement."""
        pause = FIRST_PAUSE
        while self._socket.fileno() >= 0:
            if _polls(self._socket.fileno(), 0):  # an error, or closed on both sides: a reset
                return False
            if not unacknowledged(self._socket):
                break
            await trio.sleep(pause)
            pause *= 2
        await trio.lowlevel.checkpoint()
        return True

    def keep_little_unsent(self) -> None:
        """Set the send buffer to about MOST_UNSENT bytes."""
        with suppress(OSError):  # it may be closed already
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_UNSENT)

    def abort(self) -> None:
        """Close it so that unsent data is dropped and the peer gets a reset."""
        with suppress(OSError):  # it may be closed already
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._close()

    def watch(self, callback: Callable[[], None]) -> bool:
        """Watch by `disconnects`; return False without one, or if the socket is closed."""
        if self._disconnects is None or self._socket.fileno() < 0:
            return False
        self._disconnects.watch(self._socket.fileno(), self._note_disconnect)
        self._callback = callback
        return True

    def unwatch(self) -> None:
        """Drop the callback."""
        if self._disconnects is not None and self._callback is not _ignore:
            self._callback = _ignore
            self._disconnects.unwatch(self._socket.fileno())

    def _note_disconnect(self) -> None:
        self.has_left = True
        self._callback()

    def _close(self) -> None:
        if self._socket.fileno() < 0:
            return
        if self._disconnects is not None:
            self._disconnects.forget(self._socket.fileno())
        if self._callback is not _ignore:
            self._note_disconnect()
            self._callback = _ignore
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()

    def _check_open(self) -> None:
        if self._socket.fileno() < 0:
            raise trio.ClosedResourceError("this socket is closed")

    def _stream_error(self, error: OSError) -> trio.BrokenResourceError | trio.ClosedResourceError:
        """Return the error of trio's streams: closed if it was closed here, else broken."""
        if self._socket.fileno() < 0:
            return trio.ClosedResourceError("this socket is closed")
        return trio.BrokenResourceError(str(error))


def own_address(sock: socket.socket) -> tuple[str, int] | None:
    """Return the address that the client reached; None if a reset has removed it."""
    try:
        host, port = sock.getsockname()[:2]
    except OSError:
        return None
    return host, port


def has_hung_up(descriptor: int) -> bool:
    """Return whether the peer of a socket has closed its side, without reading what came before."""
    return _polls(descriptor, PEER_CLOSED)


def unacknowledged(sock: socket.socket) -> int:
    """Return how many sent bytes the peer's kernel has not acknowledged yet."""
    count: int
    (count,) = struct.unpack("i", ioctl(sock, termios.TIOCOUTQ, bytes(4)))
    return count


def _polls(descriptor: int, events: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, events)
    return bool(poll.poll(0))


def reset(sock: socket.socket) -> None:
    """Reset a socket that has just been accepted and has no stream yet."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()
