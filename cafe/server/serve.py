"""Serves one ASGI application with hypercorn, on an accept loop and connections of our own.

Rule: hypercorn's `worker_serve` runs the lifespan, the TLS contexts, the listeners and the graceful
stop. What a client could use to stop the process, or to stall it, is ours: how connections are
accepted (in the place of `trio.serve_listeners`) and how they are served (in that of `TCPServer`).

Accepting never stops for want of descriptors, and takes no time while it cannot go on: when a
client is waiting to be accepted, either an idle connection is closed for it, or it is reset on a
descriptor that is kept spare for that. A refused connection costs no task: decision 7 has figures.

Stopping: the listeners close, idle connections close at once, answers under way have
`graceful_timeout`, then everything is cancelled. Nothing that a client does is waited for.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from math import inf
from ssl import SSLContext
from types import FunctionType, SimpleNamespace
from typing import Any, NoReturn

import trio
from hypercorn.config import Sockets
from hypercorn.trio import run
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cafe.limits.admission import Admission
from cafe.server.config import DoorConfig
from cafe.server.connection import Address, Connection
from cafe.server.deadlines import keeping_deadlines
from cafe.server.descriptors import Spare
from cafe.server.disconnects import hearing_hang_ups
from cafe.server.door import Door
from cafe.server.kernel_bans import drop_banned
from cafe.server.listeners import Listener, listening
from cafe.server.socket_stream import EagerStream, has_hung_up, own_address, reset

ACCEPT_PAUSE = 0.1
"""Seconds after which accepting is tried again when memory or the spare descriptor is lacking."""

ACCEPT_AT_ONCE = 16
"""Connections accepted before other tasks run: a turn of the scheduler costs as much as two."""

NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})

PEER_ERRORS = frozenset(
    {
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EPROTO,
    }
)
"""Errors of accept(2) that concern the one client that was to be accepted."""


async def serve(
    app: ASGIApp,
    config: DoorConfig,
    admission: Admission,
    *,
    shutdown_trigger: Callable[[], Awaitable[object]],
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` until `shutdown_trigger` returns, then stop gracefully.

    Reports its URLs, as in "http://127.0.0.1:8080", once it accepts and the application's lifespan
    has started up. Raises BindError before anything has started, and LifespanFailureError or
    LifespanTimeoutError, in a group, where the application's lifespan fails.
    """
    lifespan = Lifespan(app)
    with listening(config) as listeners, closing(Spare()) as spare:
        async with keeping_deadlines() as deadlines, hearing_hang_ups() as hang_ups:

            async def serve_listeners(
                _handler: object, _listeners: object, *, handler_nursery: trio.Nursery
            ) -> None:
                if lifespan.has_failed:  # hypercorn goes on until the failure has reached it
                    await trio.sleep_forever()
                door = Door(app, config, admission, lifespan.state, deadlines, hang_ups=hang_ups)
                task_status.started([listener.url for listener in listeners])
                await _serve_listeners(door, listeners, spare, handler_nursery)

            await _worker_serve(serve_listeners)(
                lifespan,
                config,
                sockets=Sockets(
                    [listener.socket for listener in listeners if listener.tls],
                    [listener.socket for listener in listeners if not listener.tls],
                    quic_sockets=[],
                ),
                shutdown_trigger=shutdown_trigger,
            )


class Lifespan:
    """The application as hypercorn calls it, for its lifespan only.

    Two gaps in hypercorn are filled: it goes on to serve before a failed start-up has reached it,
    and it fails on an application that returns before it is asked to start up.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.state: Mapping[str, Any] = {}
        """What the application's start-up has set."""
        self.has_failed = False
        """Whether the application has said that its start-up or shutdown has failed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *_: object) -> None:
        """Call the application; one that returns early has no lifespan, and is served."""

        async def forward(message: Message) -> None:
            if message["type"].endswith(".failed"):
                if trio.current_effective_deadline() == -inf:
                    return  # Starlette says so when it is cancelled, which is no failure
                self.has_failed = True
            await send(message)

        self.state = scope["state"]
        await self._app(scope, receive, forward)
        for phase in ("startup", "shutdown"):
            await send({"type": f"lifespan.{phase}.complete"})
        await trio.sleep_forever()  # until hypercorn cancels it


def _worker_serve(
    serve_listeners: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    """Return hypercorn's `worker_serve` with this function in the place of trio's.

    A copy with globals of its own: two servers in one process do not share an accept loop, and
    hypercorn's module stays as it is for others.
    """
    names = SimpleNamespace(**{**vars(trio), "serve_listeners": serve_listeners})
    original = run.worker_serve
    copy = FunctionType(original.__code__, {**vars(run), "trio": names})
    copy.__kwdefaults__ = original.__kwdefaults__
    return copy


async def _serve_listeners(
    door: Door, listeners: Sequence[Listener], spare: Spare, connections: trio.Nursery
) -> None:
    """Accept on all listeners until cancelled; then close them and all idle connections."""
    tls = door.config.create_ssl_context()
    try:
        async with trio.open_nursery() as accepting:
            accepting.start_soon(drop_banned, listeners, door.admission)
            for listener in listeners:
                secure = tls if listener.tls else None
                accepting.start_soon(_accept, door, listener, secure, spare, connections)
    finally:
        for listener in listeners:
            listener.socket.close()
        door.closing = True
        for connection in tuple(door.connections):
            connection.drop()


async def _accept(
    door: Door,
    listener: Listener,
    tls: SSLContext | None,
    spare: Spare,
    connections: trio.Nursery,
) -> NoReturn:
    """Accept for ever, a few at once; a refused connection is reset before it costs a task."""
    while True:
        await trio.lowlevel.wait_readable(listener.socket)
        try:
            for _ in range(ACCEPT_AT_ONCE):
                sock, peer = listener.socket.accept()
                connection = _admit(door, sock, tls, peer[:2])
                if connection is not None:
                    connections.start_soon(connection.run)
        except BlockingIOError:
            pass  # that was all
        except OSError as error:
            await _recover(error, door, listener, spare)


def _admit(
    door: Door, sock: socket.socket, tls: SSLContext | None, peer: Address
) -> Connection | None:
    """Give what serves a connection that was accepted; None where it was refused, and reset."""
    lease = door.admission.admit(peer[0])
    if lease is None:
        reset(sock)
        return None
    if door.admission.is_suspect(lease) and has_hung_up(sock.fileno()):
        door.admission.refuse(lease)
        reset(sock)
        return None
    sock.setblocking(False)
    transport = EagerStream(sock, door.config.send_timeout, door.hang_ups)
    return Connection(door, transport, tls=tls, peer=peer, own=own_address(sock), lease=lease)


async def _recover(error: OSError, door: Door, listener: Listener, spare: Spare) -> None:
    """Return when accepting may be tried again after it failed: it must neither spin nor stop."""
    if error.errno in NO_DESCRIPTOR and not _is_wanted(listener.socket):
        # Accept fails so even while no client waits. When one comes, there may be a descriptor.
        await trio.lowlevel.wait_readable(listener.socket)
        return
    door.tell("accept failed", error=str(error), url=listener.url)
    if error.errno in PEER_ERRORS:
        return  # the next client is another
    if error.errno in NO_DESCRIPTOR:
        if door.admission.make_room():
            return
        if spare.reset_one(listener.socket.fileno()):
            door.admission.refused += 1
            return
    if door.admission.released.is_set():
        door.admission.released = trio.Event()
    with trio.move_on_after(ACCEPT_PAUSE):
        await door.admission.released.wait()


def _is_wanted(listener: socket.socket) -> bool:
    """Tell whether a client waits to be accepted."""
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    return bool(poll.poll(0))
