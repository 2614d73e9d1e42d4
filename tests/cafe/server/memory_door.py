"""A door in memory: connections over trio's in-memory streams, for virtual time and many schedules.

Rule: whatever a test does, after it each connection is closed, its lease given back exactly once,
and nothing is left in the door. `open_memory_door` checks that on the way out.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import trio
import trio.testing
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cafe.limits.admission import Admission, Lease
from cafe.server.config import ServerConfig
from cafe.server.connection import Connection
from cafe.server.context import ServerContext
from cafe.server.deadlines import watching_deadlines
from cafe.server.socket_stream import Transport
from tests.system.raw_client import Answer, Client
from tests.system.tiny_server import PROBLEMS, answer, read_body

HOUR = 3600.0
SEND_TIMEOUT = 10.0
PEER = "192.0.2.1"
Half = trio.StapledStream[trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]


class MemoryTransport(Transport):
    """The server's half of a pair of streams, and what has become of it."""

    def __init__(self, half: Half) -> None:
        self._half = half
        self.taken = 0
        """Bytes that have been received."""
        self.closed = False
        self.aborted = False
        self._peer_has_gone = False
        self._over = trio.Event()  # for who waits until something is taken

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = bytes(await self._half.receive_some(max_bytes))
        self.taken += len(data)
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._half.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._half.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._half.send_eof()

    async def aclose(self) -> None:
        self.closed = True
        with suppress(trio.BrokenResourceError):
            await self._half.aclose()

    def abort(self) -> None:
        self.aborted = True
        self._over.set()
        with suppress(trio.BrokenResourceError):  # the peer has gone
            self._half.send_stream.close()
        self._half.receive_stream.close()

    def peer_has_closed(self) -> bool:
        return self._peer_has_gone or self.aborted

    def lose_peer(self) -> None:
        """Note that the client has closed its side."""
        self._peer_has_gone = True
        self._over.set()

    def stop_taking(self) -> None:
        """Have the client take nothing more, until it is cut off as by a socket."""
        self._half.send_stream.send_all_hook = self._wait_in_vain

    async def _wait_in_vain(self) -> None:
        with trio.move_on_after(SEND_TIMEOUT):
            await self._over.wait()
        raise trio.ClosedResourceError if self.aborted else trio.BrokenResourceError


@dataclass
class Visitor:
    """A client, and what serves it."""

    stream: Half
    transport: MemoryTransport
    connection: Connection
    client: Client = field(init=False)
    ended: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        self.client = Client(self.stream)

    async def be_served(self) -> None:
        try:
            await self.connection.run()
        finally:
            self.ended.set()

    async def say(self, raw: bytes) -> None:
        await self.stream.send_all(raw)

    async def ask(self, raw: bytes, method: str = "GET") -> Answer:
        return await self.client.ask(raw, method)

    async def hear(self, method: str = "GET") -> Answer:
        return await self.client.read(method)

    async def hear_all(self) -> bytes:
        """Return what comes until the server has closed."""
        heard = b""
        while data := await self.stream.receive_some():
            heard += data
        return heard

    async def half_close(self) -> None:
        """Say that this was all, and go on reading."""
        self.transport.lose_peer()
        await self.stream.send_eof()

    async def leave(self) -> None:
        self.transport.lose_peer()
        await self.stream.aclose()


class CountingAdmission(Admission):
    """Notes each lease that is given back."""

    def __init__(self) -> None:
        super().__init__(per_address=None, total=1000)
        self.given: list[Lease] = []
        self.forgotten: list[Lease] = []

    def admit(self, host: str, has_left: Callable[[], bool] | None = None) -> Lease | None:
        lease = super().admit(host, has_left)
        assert lease is not None
        self.given.append(lease)
        return lease

    def forget(self, lease: Lease) -> None:
        self.forgotten.append(lease)
        super().forget(lease)


@dataclass
class MemoryDoor:
    """Lets visitors in."""

    context: ServerContext
    admission: CountingAdmission
    nursery: trio.Nursery
    visitors: list[Visitor] = field(default_factory=list[Visitor])

    def visit(self) -> Visitor:
        mine, its = trio.testing.memory_stream_pair()
        transport = MemoryTransport(its)
        visitor = Visitor(mine, transport, self.let_in(transport))
        self.nursery.start_soon(visitor.be_served)
        self.visitors.append(visitor)
        return visitor

    def let_in(self, transport: Transport) -> Connection:
        """Accept a client; its connection has still to be run."""
        lease = self.admission.admit(PEER)
        assert lease is not None
        return Connection(self.context, transport, tls=None, peer=(PEER, 5), own=None, lease=lease)

    def close(self) -> None:
        """Close idle connections, and the others with their response, as a server that stops."""
        self.context.closing = True
        for connection in tuple(self.context.connections):
            connection.drop()


@asynccontextmanager
async def open_memory_door(app: ASGIApp, **settings: object) -> AsyncGenerator[MemoryDoor]:
    """Open a door to `app`; after the block all visitors leave, and nothing may be left of them."""
    config = ServerConfig()
    for key, value in settings.items():
        setattr(config, key, value)
    admission = CountingAdmission()
    with trio.fail_after(HOUR):
        async with watching_deadlines() as deadlines, trio.open_nursery() as nursery:
            context = ServerContext(app, config, admission, PROBLEMS, deadlines)
            memory = MemoryDoor(context, admission, nursery)
            yield memory
            for visitor in memory.visitors:
                await visitor.leave()
    assert admission.open == 0
    assert sorted(map(id, admission.forgotten)) == sorted(map(id, admission.given))
    assert not memory.context.connections
    assert all(visitor.transport.closed for visitor in memory.visitors)


async def settle() -> None:
    """Wait until all tasks wait."""
    await trio.testing.wait_all_tasks_blocked()


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body, or with the path where there is none."""
    await answer(send, await read_body(receive) or str(scope["path"]).encode())


async def greet(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer with the path, without a look at the body."""
    await answer(send, str(scope["path"]).encode())


@dataclass
class Parked:
    """Waits like an order: until it is released or the customer hangs up; notes which."""

    waiting: int = 0
    released: trio.Event = field(default_factory=trio.Event)
    left_at: list[float] = field(default_factory=list[float])
    heard: list[Message] = field(default_factory=list[Message])

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        self.waiting += 1

        async def watch() -> None:
            while (message := await receive())["type"] != "http.disconnect":
                self.heard.append(message)
            self.heard.append(message)
            self.left_at.append(trio.current_time())
            nursery.cancel_scope.cancel()

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch)
                await self.released.wait()
                await answer(send, b"coffee")
        finally:
            self.waiting -= 1
