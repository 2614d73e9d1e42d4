"""Serving one ASGI application on hypercorn's configuration: accept, serve, stop in time.

Rule: hypercorn's `worker_serve`, but for what a client could use to end the process or to keep it
from ending: the accept loop is ours and refuses before a connection has a task, and so is the
connection.

Stopping: no more is accepted, idle connections close at once, answers under way have
`graceful_timeout`, then everything is cancelled. Nothing that a client does is waited for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ssl import SSLContext
from typing import Any, NoReturn

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp

from cafe.serving.admission import Admission
from cafe.serving.config import DoorConfig
from cafe.serving.connection import Connection, Door, reset
from cafe.serving.lifespan import started
from cafe.serving.listeners import Listener, listening

ACCEPT_PAUSE = 0.1
"""Seconds without accepting after accept failed, for want of descriptors: it must not spin."""


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
    asgi: Any = app  # hypercorn and Starlette type the same protocol, each in its own words
    wrapped: Any = ASGIWrapper(asgi)
    with listening(config) as listeners:
        async with started(wrapped, config) as state:
            door = Door(wrapped, config, WorkerContext(None), ConnectionState(state), admission)
            async with trio.open_nursery() as connections:
                async with trio.open_nursery() as accepting:
                    tls = config.create_ssl_context()
                    for listener in listeners:
                        accepting.start_soon(_accept, door, listener, tls, connections)
                    task_status.started([listener.url for listener in listeners])
                    await shutdown_trigger()
                    accepting.cancel_scope.cancel()
                await _stop(door, listeners)
                deadline = trio.current_time() + config.graceful_timeout
                connections.cancel_scope.deadline = deadline


async def _accept(
    door: Door, listener: Listener, tls: SSLContext | None, connections: trio.Nursery
) -> NoReturn:
    """Accept for ever; whoever is refused is reset before he costs a task."""
    while True:
        try:
            sock, peer = await listener.socket.accept()
        except OSError as error:
            door.tell("accept failed", error=str(error), url=listener.url)
            await trio.sleep(ACCEPT_PAUSE)
            continue
        lease = door.admission.admit(peer[0])
        if lease is None:
            reset(sock)
        else:
            secure = tls if listener.tls else None
            connection = Connection(door, sock, tls=secure, peer=peer[:2], lease=lease)
            connections.start_soon(connection.run)


async def _stop(door: Door, listeners: tuple[Listener, ...]) -> None:
    for listener in listeners:
        listener.socket.close()
    await door.context.terminated.set()
    for connection in tuple(door.connections):
        connection.close_when_idle()
