"""Serving one ASGI application on hypercorn's configuration: accept, serve, stop in time.

Rule: hypercorn's `worker_serve`, but for what a client could use to end the process or to keep it
from ending: the accept loop is ours and refuses before a connection has a task, and so is the
connection.

Accepting never stops for want of descriptors, and takes no time while it cannot go on: whenever
somebody is there to be accepted, either an idle connection makes way for him, or he is reset on a
descriptor that is kept spare for that. Bans go into the kernel besides (`kernel_bans`).

Stopping: no more is accepted, idle connections close at once, answers under way have
`graceful_timeout`, then everything is cancelled. Nothing that a client does is waited for.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from ssl import SSLContext
from typing import NoReturn

import trio
from starlette.types import ASGIApp

from cafe.limits.admission import Admission
from cafe.server.config import DoorConfig
from cafe.server.connection import Address, Connection
from cafe.server.deadlines import keeping_deadlines
from cafe.server.descriptors import Spare
from cafe.server.disconnects import hearing_hang_ups
from cafe.server.door import Door
from cafe.server.kernel_bans import drop_banned
from cafe.server.lifespan import started
from cafe.server.listeners import Listener, listening
from cafe.server.socket_stream import EagerStream, has_hung_up, own_address, reset

ACCEPT_PAUSE = 0.1
"""Seconds that a lack of memory, or even of the spare descriptor, is given to pass at most."""

ACCEPT_AT_ONCE = 16
"""Connections that are accepted before others have their turn: each turn costs as much as two."""

NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})

HE_HAS_GONE = frozenset(
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
"""What became of one client while he waited to be accepted, as accept(2) tells it."""


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
    has started up. Raises BindError before anything has started.
    """
    with listening(config) as listeners, closing(Spare()) as spare:
        async with (
            started(app, config) as state,
            keeping_deadlines() as deadlines,
            hearing_hang_ups() as hang_ups,
        ):
            door = Door(app, config, admission, state, deadlines, hang_ups=hang_ups)
            async with trio.open_nursery() as connections:
                async with trio.open_nursery() as accepting:
                    accepting.start_soon(drop_banned, listeners, admission)
                    tls = config.create_ssl_context()
                    for listener in listeners:
                        accepting.start_soon(_accept, door, listener, tls, spare, connections)
                    task_status.started([listener.url for listener in listeners])
                    await shutdown_trigger()
                    accepting.cancel_scope.cancel()
                await _stop(door, listeners)
                deadline = trio.current_time() + config.graceful_timeout
                connections.cancel_scope.deadline = deadline


async def _accept(
    door: Door,
    listener: Listener,
    tls: SSLContext | None,
    spare: Spare,
    connections: trio.Nursery,
) -> NoReturn:
    """Accept for ever, a few at once; whoever is refused is reset before he costs a task."""
    secure = tls if listener.tls else None
    while True:
        await trio.lowlevel.wait_readable(listener.socket)
        try:
            for _ in range(ACCEPT_AT_ONCE):
                sock, peer = listener.socket.accept()
                connection = _admit(door, sock, secure, peer[:2])
                if connection is not None:
                    connections.start_soon(connection.run)
        except BlockingIOError:
            pass  # that was all
        except OSError as error:
            await _get_over(error, door, listener, spare)


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


async def _get_over(error: OSError, door: Door, listener: Listener, spare: Spare) -> None:
    """Return when accepting may be tried again after it failed: it must neither spin nor stop."""
    if error.errno in NO_DESCRIPTOR and not _is_wanted(listener.socket):
        # Accept fails so even while nobody is there. When he comes, there may be a descriptor.
        await trio.lowlevel.wait_readable(listener.socket)
        return
    door.tell("accept failed", error=str(error), url=listener.url)
    if error.errno in HE_HAS_GONE:
        return  # the next one is another
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
    """Tell whether somebody waits to be accepted."""
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    return bool(poll.poll(0))


async def _stop(door: Door, listeners: tuple[Listener, ...]) -> None:
    for listener in listeners:
        listener.socket.close()
    door.closing = True
    for connection in tuple(door.connections):
        connection.drop()
