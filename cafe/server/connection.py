"""One connection, from accept to close.

Rule: whatever a client does and however an application fails, only this connection ends, and it
ends in time: nothing here waits without a deadline, except the application.

Theory of operation: a connection is one task. It reads a head, calls the application in place,
which may read the body and wait for a disconnect itself (`exchange`), and reads the next head.
Bytes that arrive early stay in `unread`, which is bounded, and the rest in the kernel. So there is
no queue, no second task and nothing to pass between them.

`NEXT` and `DEADLINES` are the state machine: the phase after each event, and each phase's time-out.
`deadlines` keeps the time for all connections, and `time_out` ends a wait by cancelling the one
scope; while the application works there is no deadline. `drop` ends a connection that is idle,
`abort` resets it in any phase; a task that waits for the client then sees a disconnect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from ssl import SSLContext
from typing import Any, Final

import trio

from cafe.server.context import Lease, ServerContext
from cafe.server.exchange import Exchange
from cafe.server.request import (
    BadRequest,
    CutShort,
    Head,
    end_of_head,
    parse_head,
    unparsed_head,
    without_blank_lines,
)
from cafe.server.socket_stream import PIECE, Transport


class Phase(StrEnum):
    """Where a connection is."""

    HANDSHAKE = "TLS is being set up"
    FRESH = "nothing has been read yet"
    HEAD = "a part of a head has arrived"
    ANSWERING = "the application works"
    IDLE = "nothing has been read since the last response"
    LINGERING = "the last response is sent; what still arrives is discarded"


class Event(StrEnum):
    """What happens to a connection."""

    OPENED = "the handshake is done, or none was needed"
    BYTES = "a part of a head has arrived"
    REQUEST = "a whole head has arrived"
    ANSWERED = "another request may follow"
    OVER = "none may"


NEXT: Final[Mapping[tuple[Phase, Event], Phase]] = {
    (Phase.HANDSHAKE, Event.OPENED): Phase.FRESH,
    (Phase.FRESH, Event.BYTES): Phase.HEAD,
    (Phase.FRESH, Event.REQUEST): Phase.ANSWERING,
    (Phase.FRESH, Event.OVER): Phase.LINGERING,
    (Phase.HEAD, Event.REQUEST): Phase.ANSWERING,
    (Phase.HEAD, Event.OVER): Phase.LINGERING,
    (Phase.ANSWERING, Event.ANSWERED): Phase.IDLE,
    (Phase.ANSWERING, Event.OVER): Phase.LINGERING,
    (Phase.IDLE, Event.BYTES): Phase.HEAD,
    (Phase.IDLE, Event.REQUEST): Phase.ANSWERING,
    (Phase.IDLE, Event.OVER): Phase.LINGERING,
}

DEADLINES: Final[Mapping[Phase, str]] = {
    Phase.HANDSHAKE: "ssl_handshake_timeout",
    Phase.FRESH: "head_timeout",
    Phase.HEAD: "head_timeout",
    Phase.IDLE: "keep_alive_timeout",
}
"""How long a phase may take, by the configuration's keys; lingering has `linger_timeout`."""

READ_AHEAD: Final = 2**16
"""Bytes that may be pipelined behind a request before the client has to wait for its response."""
TLS_CLOSE_SECONDS: Final = 1.0
"""How long TLS may take to send its close_notify."""
DELIVERY_SECONDS: Final = 1.0
"""How long a client that had closed its side may take to acknowledge the response, or reset."""
POLL_SECONDS: Final = 0.5
"""How often a client that has filled the read-ahead buffer is checked for a disconnect."""

TOO_SLOW: Final = "The head of the request took too long."

Address = tuple[str, int]


class Connection:
    """Serves one accepted client until either side closes."""

    def __init__(
        self,
        context: ServerContext,
        transport: Transport,
        *,
        tls: SSLContext | None,
        peer: Address,
        own: Address | None,
        lease: Lease,
    ) -> None:
        """Register the connection: from now on a ban or a stop closes it."""
        self.context = context
        self.peer = peer
        self.own = own
        self.scheme = "https" if tls else "http"
        self.unread = b""
        """Bytes that have arrived and are not parsed yet."""
        self.transport = transport
        self._tls: trio.SSLStream[Transport] | None = None
        if tls is not None:
            self._tls = trio.SSLStream(transport, tls, server_side=True)
        self._stream: trio.abc.Stream = self._tls or transport
        self._phase = Phase.HANDSHAKE
        self._scope = trio.CancelScope()
        self._dropped = False
        self._requests = 0
        self._if_undelivered: tuple[Callable[[], None], ...] = ()
        self._is_broken = False  # something could not be sent
        self._lease = lease
        lease.attach(is_idle=self.is_idle, abort=transport.abort)
        context.connections.add(self)

    @property
    def is_last(self) -> bool:
        """Whether the next response is the last on this connection."""
        return self.context.closing or self._requests >= self.context.config.keep_alive_max_requests

    def is_idle(self) -> bool:
        """Return whether it can be closed without losing a response."""
        return self._phase not in {Phase.ANSWERING, Phase.LINGERING}

    async def run(self) -> None:
        """Serve until it is closed, then release the lease. Raises no Exception."""
        try:
            await self._serve()
        except Exception as error:  # noqa: BLE001 - it ends only this connection
            self._log_failure(error)
        except BaseExceptionGroup as group:
            exceptions, others = group.split(Exception)
            if exceptions is not None:
                self._log_failure(exceptions)
            raise (others or group) from None
        finally:
            self.context.connections.discard(self)
            self._lease.release()
            with trio.move_on_after(TLS_CLOSE_SECONDS), suppress(trio.ClosedResourceError):
                # Before the handshake is done, TLS would continue it instead of closing.
                if self._phase is not Phase.HANDSHAKE:
                    await self._stream.aclose()
            await self.transport.aclose()

    def drop(self) -> None:
        """Close it now, unless a request is being answered."""
        if self.is_idle():
            self._dropped = True
            self._scope.cancel()

    def end_when_left(self) -> bool:
        """Close when the client disconnects, also during a request; False: that cannot be watched.

        Until `stay`. The application is cancelled then, and the connection is over, so this needs
        no cancel scope of its own, which would be a tenth of a waiting order.
        """
        return self.transport.watch(self._scope.cancel)

    def stay(self) -> None:
        """Go on whether or not the client disconnects."""
        self.transport.unwatch()

    def has_left(self) -> bool:
        """Return whether the client is known to have disconnected."""
        return self.transport.has_left

    def keep_little_unsent(self) -> None:
        """Bound the kernel's send buffer, so that a client that does not read is noticed."""
        self.transport.keep_little_unsent()

    def if_undelivered(self, callback: Callable[[], None]) -> None:
        """Call `callback` at the end of the connection if the next response is not delivered.

        That is checked only if the client has closed its side by now.
        """
        if self.transport.peer_has_closed():
            self._if_undelivered += (callback,)

    def time_out(self) -> None:
        """End the wait for the client; called by the deadlines' task."""
        self._scope.cancel()

    async def receive_more(self) -> bool:
        """Wait for bytes and add them to the unread ones; False when the client has left."""
        data: bytes | bytearray = b""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            data = await self._stream.receive_some(PIECE)
        if not data:
            self.transport.has_left = True
            return False
        self.unread = self.unread + data if self.unread else bytes(data)
        return True

    async def wait_for_disconnect(self) -> None:
        """Wait until the client disconnects; keep what it sends until then if there is room."""
        while len(self.unread) < READ_AHEAD:
            if not await self.receive_more():
                return
        while not self.transport.peer_has_closed():  # noqa: ASYNC110 - trio has no such event
            await trio.sleep(POLL_SECONDS)
        self.transport.has_left = True

    async def send(self, data: bytes) -> None:
        """Send `data`; if the client does not read it, reset the connection, without an error."""
        if not self.transport.has_left:
            self._lease.was_used = True
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._is_broken = True
            self.transport.abort()
            await trio.lowlevel.checkpoint()
        except trio.Cancelled:  # half a response must not be followed by another
            self.transport.abort()
            raise

    async def _serve(self) -> None:
        try:
            with self._scope:
                await self._answer_requests()
            if self._phase is Phase.HEAD and not self._dropped:
                raise BadRequest(408, TOO_SLOW)  # noqa: TRY301 - as others from in there
        except BadRequest as refusal:
            await self._refuse(refusal)
            self._phase = NEXT[self._phase, Event.OVER]
        if self._if_undelivered:
            await self._check_delivery()
        if self._phase is Phase.LINGERING:
            await self._linger()

    async def _refuse(self, refusal: BadRequest) -> None:
        head, scope, status = unparsed_head(self.unread), dict[str, Any](), refusal.status_code
        problem = self.context.write_problem(head, scope, status, refusal.detail)
        if not isinstance(refusal, CutShort):
            self._lease.blame()
            self.context.log_refusal(status, self.peer[0], scope)
        await self.send(problem)

    async def _answer_requests(self) -> None:
        """Answer one request after the other. Raises BadRequest for a malformed head."""
        if self._tls is not None and not await self._shake_hands(self._tls):
            return
        self._phase = NEXT[self._phase, Event.OPENED]
        while (head := await self._next_head()) is not None:
            # A drop or a time-out from before must not cancel the application.
            await trio.lowlevel.checkpoint_if_cancelled()
            self._phase = NEXT[self._phase, Event.REQUEST]
            self._requests += 1
            if not await Exchange(self, head).run() or self.is_last:
                self._phase = NEXT[self._phase, Event.OVER]
                return
            self._phase = NEXT[self._phase, Event.ANSWERED]
            await trio.lowlevel.checkpoint()  # let other tasks run, even if the next head is there

    async def _shake_hands(self, tls: trio.SSLStream[Transport]) -> bool:
        seconds = self._begin_wait()
        try:
            await tls.do_handshake()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.context.admission.malformed += 1
            return False
        finally:
            self.context.deadlines.end(self, seconds)
        return True

    def _take_head(self) -> Head | None:
        if self.unread.startswith(b"\r\n"):
            self.unread = without_blank_lines(self.unread)
        end = 0
        if self.unread and self.unread != b"\r":  # which may be half of an empty line
            end = end_of_head(self.unread)
        if not end:
            return None
        head = parse_head(self.unread[:end])
        self.unread = self.unread[end:]
        return head

    async def _next_head(self) -> Head | None:
        """Return the next head within the phase's time-out; None if there will be none."""
        if not self.unread and self._tls is None:
            self.unread = self.transport.receive_nowait()
        # A head that has arrived needs no deadline.
        return self._take_head() or await self._wait_for_head()

    async def _wait_for_head(self) -> Head | None:
        seconds = self._begin_wait()
        try:
            while (head := self._take_head()) is None:
                if self._phase is not Phase.HEAD and self.unread not in {b"", b"\r"}:
                    self._phase = NEXT[self._phase, Event.BYTES]
                    self.context.deadlines.end(self, seconds)
                    seconds = self._begin_wait()
                if not await self.receive_more():
                    if self.unread:
                        raise CutShort
                    return None
                await trio.lowlevel.checkpoint()  # an endless head must let other tasks run
        finally:
            self.context.deadlines.end(self, seconds)
        return head

    async def _check_delivery(self) -> None:
        """Call the callbacks if the client, which had closed its side, has not got the response."""
        if self._phase is Phase.IDLE:
            self._phase = NEXT[self._phase, Event.OVER]
        with trio.move_on_after(DELIVERY_SECONDS):
            if self._is_broken or not await self.transport.is_acknowledged():
                self._lease.was_used = False
                for callback in self._if_undelivered:
                    callback()

    async def _linger(self) -> None:
        """Stop sending, but read for a while: closing on unread bytes would reset the response."""
        with trio.move_on_after(self.context.config.linger_timeout):
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                if self._tls is None:
                    await self.transport.send_eof()
                else:
                    await self._tls.unwrap()  # sends close_notify; fails if it is not answered
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                while await self.transport.receive_some(PIECE):
                    await trio.lowlevel.checkpoint()  # an endless flood must let other tasks run

    def _begin_wait(self) -> float:
        """Begin a wait with the time-out of its phase; return the time-out."""
        seconds: float = getattr(self.context.config, DEADLINES[self._phase])
        self.context.deadlines.begin(self, seconds)
        return seconds

    def _log_failure(self, error: BaseException) -> None:
        self.context.admission.isolated += 1
        self.context.log_failure("connection isolated", exc_info=error)
