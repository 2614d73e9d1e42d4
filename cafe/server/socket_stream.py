"""A socket as a trio stream that does not wait where the kernel does not make it wait.

Rule: no checkpoint where bytes can be sent or are there at once. trio's SocketStream has one for
each, twice a request. Its user yields instead, once a request: by then the next one may have come,
and epoll need not be asked for it.
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

from cafe.server.disconnects import HangUps

PIECE = 2**14
# Where there is no POLLRDHUP: once both sides are closed.
HANG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)
FIRST_LOOK: Final = 0.005
"""Seconds to the second look for what the peer says to an answer; each takes twice as long."""
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds


class Transport(trio.abc.HalfCloseableStream):
    """What a connection needs of what carries it: a stream, and two ways to know better."""

    has_left = False
    """Whether it is known that the peer has closed its side, for whoever waited has been told."""

    @abstractmethod
    def abort(self) -> None:
        """Reset it now, whoever may be waiting for it."""

    @abstractmethod
    def has_gone(self) -> bool:
        """Tell whether the peer has closed his side, without reading what he sent before."""

    async def is_taken(self) -> bool:
        """Wait until the peer has taken all that was sent; False: it answered with a reset.

        True at once where that cannot be told. Before `send_eof`, which hides it.
        """
        await trio.lowlevel.checkpoint()
        return True

    def receive_nowait(self) -> bytes:
        """Give what is there; b"" where that is nothing, or cannot be told without waiting."""
        return b""

    def watch(self, callback: Callable[[], None]) -> bool:  # noqa: ARG002
        """Call back once he has closed his side, or `abort` was called; False: it cannot be told.

        Until `unwatch`, and never from in here.
        """
        return False

    def unwatch(self) -> None:
        """Call back no more."""


def _nobody() -> None:
    """Stand in where nobody watches."""


class EagerStream(Transport):
    """Sends and receives on a connected, non-blocking socket."""

    def __init__(
        self, sock: socket.socket, send_timeout: float, hang_ups: HangUps | None = None
    ) -> None:
        """Give up a send after `send_timeout` seconds in which the peer has taken nothing."""
        self._socket = sock
        self._send_timeout = send_timeout
        self._hang_ups = hang_ups
        self._watcher: Callable[[], None] = _nobody
        self._is_dry = False  # when last looked: so waiting comes before the next look

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes and give them, b"" for the end; raises as trio's streams do."""
        if self._is_dry and self._socket.fileno() >= 0:
            self._is_dry = False
            await trio.lowlevel.wait_readable(self._socket)
        while True:
            try:
                return self._socket.recv(max_bytes or PIECE)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._socket)
            except OSError as error:
                raise self._why(error) from error

    def receive_nowait(self) -> bytes:
        """Read without having been told that there is something."""
        try:
            return self._socket.recv(PIECE)
        except BlockingIOError:
            self._is_dry = True
        except OSError:  # it is broken or closed: who waits will be told
            pass
        return b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything; raises BrokenResourceError where the peer stops taking it."""
        sent = self._send_some(data)
        if sent == len(data):
            return
        with memoryview(data) as left:
            while sent < len(left):
                await self.wait_send_all_might_not_block()
                sent += self._send_some(left[sent:])

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the peer has taken something, as long as a send may."""
        with trio.move_on_after(self._send_timeout) as patience:
            self._check_open()
            await trio.lowlevel.wait_writable(self._socket)
        if patience.cancelled_caught:
            raise trio.BrokenResourceError(f"nothing was read for {self._send_timeout:g} s")

    async def send_eof(self) -> None:
        """Tell the peer that this was all; he may go on sending."""
        self._check_open()
        with suppress(OSError):  # he has gone
            self._socket.shutdown(socket.SHUT_WR)
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close it; what was sent still arrives."""
        self._close()
        await trio.lowlevel.checkpoint()

    def has_gone(self) -> bool:
        """Ask the kernel; a closed socket has nobody at the other end."""
        return self._socket.fileno() < 0 or has_hung_up(self._socket.fileno())

    async def is_taken(self) -> bool:
        """Look, less and less often: no event tells that the peer's kernel has acknowledged."""
        pause = FIRST_LOOK
        while self._socket.fileno() >= 0:
            if _polls(self._socket.fileno(), 0):  # an error, or closed on both sides: a reset
                return False
            if not unacknowledged(self._socket):
                break
            await trio.sleep(pause)
            pause *= 2
        await trio.lowlevel.checkpoint()
        return True

    def abort(self) -> None:
        """Close it so that what was not sent is dropped, and the peer reads a reset."""
        with suppress(OSError):  # it may be closed already
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._close()

    def watch(self, callback: Callable[[], None]) -> bool:
        """Have the kernel tell, where it can."""
        if self._hang_ups is None or self._socket.fileno() < 0:
            return False
        self._watcher = callback
        self._hang_ups.watch(self._socket.fileno(), self._hear_hang_up)
        return True

    def unwatch(self) -> None:
        """Call back no more."""
        if self._hang_ups is not None and self._watcher is not _nobody:
            self._watcher = _nobody
            self._hang_ups.unwatch(self._socket.fileno())

    def _hear_hang_up(self) -> None:
        self.has_left = True
        self._watcher()

    def _close(self) -> None:
        if self._socket.fileno() < 0:
            return
        if self._hang_ups is not None:
            self._hang_ups.forget(self._socket.fileno())
        if self._watcher is not _nobody:
            self._hear_hang_up()
            self._watcher = _nobody
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()

    def _check_open(self) -> None:
        if self._socket.fileno() < 0:
            raise trio.ClosedResourceError("this socket is closed")

    def _send_some(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._why(error) from error

    def _why(self, error: OSError) -> trio.BrokenResourceError | trio.ClosedResourceError:
        """Tell whose doing an error is: ours, who have closed the socket, or the peer's."""
        if self._socket.fileno() < 0:
            return trio.ClosedResourceError("this socket is closed")
        return trio.BrokenResourceError(str(error))


def own_address(sock: socket.socket) -> tuple[str, int] | None:
    """Give the address that the client reached, None on platforms where a reset takes it away."""
    try:
        host, port = sock.getsockname()[:2]
    except OSError:
        return None
    return host, port


def has_hung_up(descriptor: int) -> bool:
    """Tell whether the peer of a socket has closed its side, without reading what came before."""
    return _polls(descriptor, HANG_UP)


def unacknowledged(sock: socket.socket) -> int:
    """Give how many bytes that were sent the peer's kernel has not acknowledged yet."""
    count: int
    (count,) = struct.unpack("i", ioctl(sock, termios.TIOCOUTQ, bytes(4)))
    return count


def _polls(descriptor: int, events: int) -> bool:
    looking = select.poll()
    looking.register(descriptor, events)
    return bool(looking.poll(0))


def reset(sock: socket.socket) -> None:
    """Reset what has just been accepted, and has no stream yet."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()
