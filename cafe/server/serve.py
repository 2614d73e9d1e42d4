"""Serves one ASGI application with hypercorn, on an accept loop and connections of our own.

Rule: hypercorn's `worker_serve` runs the lifespan, the TLS contexts, the listeners and the graceful
stop. The parts that a client could use to stop or stall the process are ours: accepting connections
(in place of `trio.serve_listeners`) and serving them (in place of `TCPServer`).

Accepting never stops for want of descriptors, and does not spin while it cannot go on: when a
client is waiting to be accepted, either an idle connection is closed for it, or it is reset on a
descriptor that is kept spare for that. A refused connection costs no task: decision 7 has figures.

Shutdown: the listeners close, idle connections close at once, answers under way have
`graceful_timeout`, then everything is cancelled. Nothing waits longer for a client.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from math import inf
from ssl import SSLContext
from types import FunctionType, SimpleNamespace
from typing import Any, NoReturn

import trio
from hypercorn.config import Sockets
from hypercorn.trio import run
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cafe.server.config import ConfigError, ServerConfig, parse_bind
from cafe.server.connection import Address, Connection
from cafe.server.context import Admission, Problems, ServerContext
from cafe.server.deadlines import watching_deadlines
from cafe.server.descriptors import Spare
from cafe.server.disconnects import watching_disconnects
from cafe.server.socket_stream import EagerStream, has_hung_up, own_address, reset

ACCEPT_PAUSE = 0.1
"""Seconds until accept is retried if there is no memory, or no spare descriptor."""

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
"""Errors of accept(2) that concern only the client that was to be accepted."""

VANISHED_SECONDS = 60
"""About how long until a client whose machine or network has failed counts as disconnected."""

# Not every platform has all of them; accepted sockets inherit them.
TCP_OPTIONS = (
    ("TCP_NODELAY", 1),
    ("TCP_KEEPIDLE", VANISHED_SECONDS // 2),
    ("TCP_KEEPINTVL", VANISHED_SECONDS // 6),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", VANISHED_SECONDS * 1000),
)


async def serve(
    app: ASGIApp,
    config: ServerConfig,
    admission: Admission,
    problems: Problems,
    *,
    shutdown_trigger: Callable[[], Awaitable[object]],
    beside: Callable[[Sequence[socket.socket]], Awaitable[object]] | None = None,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` until `shutdown_trigger` returns, then stop gracefully.

    `beside` runs while connections are accepted, with the listening sockets. Reports the URLs, as
    in "http://127.0.0.1:8080", once it accepts and the lifespan has started up. Raises BindError
    before anything has started, and LifespanFailureError or LifespanTimeoutError, in a group, if
    the lifespan fails.
    """
    lifespan = Lifespan(app)
    with listening(config) as listeners, closing(Spare()) as spare:
        async with watching_deadlines() as deadlines, watching_disconnects() as disconnects:
            context = ServerContext(
                app, config, admission, problems, deadlines, disconnects=disconnects
            )

            async def serve_listeners(*_: object, handler_nursery: trio.Nursery) -> None:
                if lifespan.has_failed:  # hypercorn goes on until it receives the failure
                    await trio.sleep_forever()
                context.state = dict(lifespan.state)
                async with trio.open_nursery() as nursery:
                    if beside is not None:
                        nursery.start_soon(beside, [listener.socket for listener in listeners])
                    task_status.started([listener.url for listener in listeners])
                    await AcceptLoop(context, listeners, spare, handler_nursery).run()

            secure = [listener.socket for listener in listeners if listener.tls]
            insecure = [listener.socket for listener in listeners if not listener.tls]
            sockets = Sockets(secure, insecure, quic_sockets=[])
            worker_serve = _worker_serve(serve_listeners)
            await worker_serve(lifespan, config, sockets=sockets, shutdown_trigger=shutdown_trigger)


class Lifespan:
    """The application as hypercorn calls it, for its lifespan only.

    Two gaps in hypercorn are filled: it begins to serve before it receives a failed start-up, and
    it fails on an application that returns before it is asked to start up.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.state: Mapping[str, Any] = {}
        """The state that the application's start-up has set."""
        self.has_failed = False
        """Whether the application has reported that its start-up or shutdown failed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *_: object) -> None:
        """Call the application; one that returns early has no lifespan, and is served."""

        async def forward(message: Message) -> None:
            if message["type"].endswith(".failed"):
                if trio.current_effective_deadline() == -inf:
                    return  # Starlette reports that when it is cancelled, which is no failure
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
    """Return hypercorn's `worker_serve` with this function in place of trio's.

    It is a copy with globals of its own: two servers in one process do not share an accept loop,
    and hypercorn's module is unchanged for others.
    """
    names = SimpleNamespace(**{**vars(trio), "serve_listeners": serve_listeners})
    original = run.worker_serve
    copy = FunctionType(original.__code__, {**vars(run), "trio": names})
    copy.__kwdefaults__ = original.__kwdefaults__
    return copy


class BindError(ConfigError):
    """An address that cannot be listened on; `address` is "host:port" as configured."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"Cannot listen on {address}: {reason}.")
        self.address = address


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket, whether it speaks TLS, and its URL."""

    socket: socket.socket
    tls: bool
    url: str


@contextmanager
def listening(config: ServerConfig) -> Generator[tuple[Listener, ...]]:
    """Listen on all addresses of `config` inside the block. Raises BindError.

    Not with hypercorn's `create_sockets`: when an address is in use, that leaves open the sockets
    bound before, and its error does not say which address it was.
    """
    binds = [(text, config.ssl_enabled) for text in config.bind]
    binds += [(text, False) for text in config.insecure_bind]
    with ExitStack() as stack:
        yield tuple(_listen(stack, text, tls, config.backlog) for text, tls in binds)


def _listen(stack: ExitStack, text: str, tls: bool, backlog: int) -> Listener:  # noqa: FBT001
    host, port = parse_bind(text)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in TCP_OPTIONS:
        if (option := getattr(socket, name, None)) is not None:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
    try:
        listener.bind((host, port))
        listener.listen(backlog)
        listener.setblocking(False)
    except OSError as error:
        raise BindError(text, error.strerror or str(error)) from None
    host, port = listener.getsockname()[:2]
    address = f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
    scheme = "https" if tls else "http"
    return Listener(listener, tls, f"{scheme}://{address}")


class AcceptLoop:
    """Accepts on all listeners of one server, and starts a task for each connection."""

    def __init__(
        self,
        context: ServerContext,
        listeners: Sequence[Listener],
        spare: Spare,
        connections: trio.Nursery,
    ) -> None:
        self._context = context
        self._admission = context.admission
        self._listeners = listeners
        self._spare = spare
        self._connections = connections

    async def run(self) -> None:
        """Accept until cancelled; then close the listeners and all idle connections."""
        tls = self._context.config.create_ssl_context()
        try:
            async with trio.open_nursery() as nursery:
                for listener in self._listeners:
                    nursery.start_soon(self._accept, listener, tls if listener.tls else None)
        finally:
            for listener in self._listeners:
                listener.socket.close()
            self._context.closing = True
            for connection in tuple(self._context.connections):
                connection.drop()

    async def _accept(self, listener: Listener, tls: SSLContext | None) -> NoReturn:
        """Accept until cancelled, a few at once; reset refused connections without a task."""
        while True:
            await trio.lowlevel.wait_readable(listener.socket)
            try:
                for _ in range(ACCEPT_AT_ONCE):
                    sock, peer = listener.socket.accept()
                    connection = self._admit(sock, tls, peer[:2])
                    if connection is not None:
                        self._connections.start_soon(connection.run)
            except BlockingIOError:
                pass  # no other client is waiting
            except OSError as error:
                await self._recover(error, listener)

    def _admit(
        self, sock: socket.socket, tls: SSLContext | None, peer: Address
    ) -> Connection | None:
        """Return a Connection for an accepted socket; None if it was refused, and reset."""
        lease = self._admission.admit(peer[0], partial(has_hung_up, sock.fileno()))
        if lease is None:
            reset(sock)
            return None
        sock.setblocking(False)
        context, own = self._context, own_address(sock)
        transport = EagerStream(sock, context.config.send_timeout, context.disconnects)
        return Connection(context, transport, tls=tls, peer=peer, own=own, lease=lease)

    async def _recover(self, error: OSError, listener: Listener) -> None:
        """Return when to accept again after an error: the loop must neither spin nor stop."""
        if error.errno in NO_DESCRIPTOR and not _is_readable(listener.socket):
            # Accept fails even while no client waits. When one comes there may be a descriptor.
            await trio.lowlevel.wait_readable(listener.socket)
            return
        self._context.log_failure("accept failed", error=str(error), url=listener.url)
        if error.errno in PEER_ERRORS:
            return  # the next client is another
        if error.errno in NO_DESCRIPTOR:
            if self._admission.make_room():
                return
            if self._spare.reset_one(listener.socket.fileno()):
                self._admission.refused += 1
                return
        if self._admission.released.is_set():
            self._admission.released = trio.Event()
        with trio.move_on_after(ACCEPT_PAUSE):
            await self._admission.released.wait()


def _is_readable(listener: socket.socket) -> bool:
    """Return whether a client waits to be accepted."""
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    return bool(poll.poll(0))
