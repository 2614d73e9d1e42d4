"""One connection, from accept to close.

Rule: whatever a client does or an application fails at, only this connection ends, and it ends in
time: nothing here waits without a deadline, but for the application.

Theory of operation: a connection is one task. It reads a head, calls the application in place,
which may read the body and wait for a hang-up itself (`exchange`), and goes on with the next head.
Bytes that come early stay in `unread`, bounded, and what does not fit there stays with the kernel.
So there is no queue, no second task and nothing to be handed over between them.

The tables in `phases` are the state machine: what follows each phase, and what bounds it.
`deadlines` keeps the time for all connections, and `time_out` ends a wait by cancelling the one
scope; while the application works there is no deadline. `drop` ends a connection that nobody works
for, `abort` resets it in any phase; whoever waits for the client then sees him gone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext
from typing import Any, Final

import trio

from cafe.http.problem import request_id_of
from cafe.limits.admission import Lease
from cafe.server.door import Door
from cafe.server.exchange import Exchange
from cafe.server.isolation import Contained
from cafe.server.phases import DEADLINES, NEXT, Event, Phase
from cafe.server.request import (
    BadRequest,
    CutShort,
    Head,
    end_of_head,
    parse_head,
    stand_in,
    without_blank_lines,
)
from cafe.server.response import write_problem
from cafe.server.socket_stream import PIECE, Transport

READ_AHEAD: Final = 2**16
"""Bytes that may be pipelined behind a request before the client has to wait for its answer."""
GOODBYE_SECONDS: Final = 1.0
"""For TLS to say that this was all."""
DOUBT_SECONDS: Final = 1.0
"""For a client that had closed its side to take the answer, or to answer it with a reset."""
LOOK_SECONDS: Final = 0.5
"""How often it is looked whether a client who has sent more than is read ahead is still there."""

TOO_SLOW: Final = "The head of the request took too long."

Address = tuple[str, int]


class Connection:
    """Serves one accepted client until either side is done with it."""

    def __init__(
        self,
        door: Door,
        transport: Transport,
        *,
        tls: SSLContext | None,
        peer: Address,
        own: Address | None,
        lease: Lease,
    ) -> None:
        """Hold what has been accepted; from now on a ban or a stop closes it."""
        self.door = door
        self.peer = peer
        self.own = own
        self.scheme = "https" if tls else "http"
        self.unread = b""
        """What has arrived and has not been looked at."""
        self.transport = transport
        self._tls: trio.SSLStream[Transport] | None = None
        if tls is not None:
            self._tls = trio.SSLStream(transport, tls, server_side=True)
        self._stream: trio.abc.Stream = self._tls or transport
        self._phase = Phase.HANDSHAKE
        self._patience = trio.CancelScope()
        self._dropped = False
        self._requests = 0
        self._doubts: tuple[Callable[[], None], ...] = ()
        self._is_broken = False  # something could not be sent
        self._lease = lease
        lease.abort = self.abort
        lease.is_idle = self.is_idle
        door.connections.add(self)

    @property
    def is_last(self) -> bool:
        """Tell whether the answer that is given now is the connection's last."""
        return self.door.closing or self._requests >= self.door.config.keep_alive_max_requests

    def is_idle(self) -> bool:
        """Tell whether closing it now would cost nobody an answer."""
        return self._phase not in {Phase.ANSWERING, Phase.LINGERING}

    async def run(self) -> None:
        """Serve until it is closed; give the lease back then."""
        try:
            with Contained(self._tell_of_failure):
                await self._serve()
        finally:
            self.door.connections.discard(self)
            self._lease.release()
            with trio.move_on_after(GOODBYE_SECONDS), suppress(trio.ClosedResourceError):
                # Before its handshake is done, TLS would go on with it instead of a goodbye.
                if self._phase is not Phase.HANDSHAKE:
                    await self._stream.aclose()
            await self.transport.aclose()

    def abort(self) -> None:
        """Reset it, in whatever phase."""
        self.transport.abort()

    def drop(self) -> None:
        """Close it now, unless a request is being answered."""
        if self.is_idle():
            self._dropped = True
            self._patience.cancel()

    def end_when_left(self) -> bool:
        """End when the client leaves, also while it is answered; False: that cannot be told.

        Until `stay`. Whatever is awaited for the client then is cancelled, and the connection is
        over: so this takes no cancel scope of its own, which would be a tenth of a waiting order.
        """
        return self.transport.watch(self._patience.cancel)

    def stay(self) -> None:
        """Go on without looking whether the client is there."""
        self.transport.unwatch()

    def has_left(self) -> bool:
        """Tell whether it has been heard that the client has left."""
        return self.transport.has_left

    def if_undelivered(self, callback: Callable[[], None]) -> None:
        """Call back, at the end of the connection, if the client has not taken the next answer.

        It is looked for only where the client has closed its side by now.
        """
        if self.transport.has_gone():
            self._doubts += (callback,)

    def time_out(self) -> None:
        """Wait no longer for the client; called by the deadlines' task."""
        self._patience.cancel()

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

    async def wait_hang_up(self) -> None:
        """Wait until the client leaves; what he sends until then is kept if there is room."""
        while len(self.unread) < READ_AHEAD:
            if not await self.receive_more():
                return
        while not self.transport.has_gone():  # noqa: ASYNC110 - trio waits for no such event
            await trio.sleep(LOOK_SECONDS)
        self.transport.has_left = True

    async def send(self, data: bytes) -> None:
        """Send `data`; a client who does not take it is cut off, which is no error here."""
        if not self.transport.has_left:
            self._lease.was_used = True
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._is_broken = True
            self.abort()
            await trio.lowlevel.checkpoint()
        except trio.Cancelled:  # half an answer must not be followed by another
            self.abort()
            raise

    async def _serve(self) -> None:
        try:
            with self._patience:
                await self._converse()
            if self._phase is Phase.HEAD and not self._dropped:
                raise BadRequest(408, TOO_SLOW)  # noqa: TRY301 - as others from in there
        except BadRequest as no:
            await self._refuse(no)
            self._note(Event.OVER)
        if self._doubts:
            await self._resolve_doubts()
        if self._phase is Phase.LINGERING:
            await self._linger()

    async def _refuse(self, no: BadRequest) -> None:
        head, headers, scope = stand_in(self.unread), self.door.headers(), dict[str, Any]()
        problem = write_problem(head, headers, scope, no.status_code, no.detail)
        if not isinstance(no, CutShort):
            self.door.admission.blame(self._lease)
            self.door.tell_refusal(no.status_code, self.peer[0], request_id_of(scope))
        await self.send(problem)

    async def _converse(self) -> None:
        """Answer one request after the other. Raises BadRequest for a head that is none."""
        if self._tls is not None and not await self._shake_hands(self._tls):
            return
        self._note(Event.OPENED)
        while (head := await self._next_head()) is not None:
            # A drop or a time-out of just now must not fall upon the application.
            await trio.lowlevel.checkpoint_if_cancelled()
            self._note(Event.REQUEST)
            self._requests += 1
            if not await Exchange(self, head).run() or self.is_last:
                self._note(Event.OVER)
                return
            self._note(Event.ANSWERED)
            await trio.lowlevel.checkpoint()  # others come first, also before what is there

    async def _shake_hands(self, tls: trio.SSLStream[Transport]) -> bool:
        seconds = self._begin_wait()
        try:
            await tls.do_handshake()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.door.admission.malformed += 1
            return False
        finally:
            self.door.deadlines.end(self, seconds)
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
        """Wait for the next head, as long as the phase may take; None when there will be none."""
        if not self.unread and self._tls is None:
            self.unread = self.transport.receive_nowait()
        # If it is there already no deadline need be set for it.
        return self._take_head() or await self._wait_for_head()

    async def _wait_for_head(self) -> Head | None:
        seconds = self._begin_wait()
        try:
            while (head := self._take_head()) is None:
                if self._phase is not Phase.HEAD and self.unread not in {b"", b"\r"}:
                    self._note(Event.BYTES)
                    self.door.deadlines.end(self, seconds)
                    seconds = self._begin_wait()
                if not await self.receive_more():
                    if self.unread:
                        raise CutShort
                    return None
                await trio.lowlevel.checkpoint()  # an endless row of bytes leaves time to others
        finally:
            self.door.deadlines.end(self, seconds)
        return head

    async def _resolve_doubts(self) -> None:
        """Find out whether the client, who had closed its side, has taken what it was answered."""
        if self._phase is Phase.IDLE:
            self._note(Event.OVER)
        with trio.move_on_after(DOUBT_SECONDS):
            if self._is_broken or not await self.transport.is_taken():
                self._lease.was_used = False
                for tell in self._doubts:
                    tell()

    async def _linger(self) -> None:
        """Send no more, but read for a while: closing on unread bytes would reset the answer."""
        with trio.move_on_after(self.door.config.linger_timeout):
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                if self._tls is None:
                    await self.transport.send_eof()
                else:
                    await self._tls.unwrap()  # says goodbye, and fails if he does not answer it
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                while await self.transport.receive_some(PIECE):
                    await trio.lowlevel.checkpoint()  # an endless flood leaves time to others

    def _note(self, event: Event) -> None:
        """Go on to the next phase."""
        self._phase = NEXT[self._phase, event]

    def _begin_wait(self) -> float:
        """Have the wait that begins now end in the time that its phase may take; give that."""
        seconds: float = getattr(self.door.config, DEADLINES[self._phase])
        self.door.deadlines.begin(self, seconds)
        return seconds

    def _tell_of_failure(self, error: BaseException) -> None:
        self.door.admission.isolated += 1
        self.door.tell("connection isolated", exc_info=error)
