"""Out of descriptors, or of places: accepting goes on, and neither spins nor lets a client hang."""

from __future__ import annotations

import resource
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from time import process_time
from typing import Self

import pytest
import trio

from cafe.limits.admission import FRESH_SECONDS, Admission
from cafe.server.descriptors import Spare
from tests.system.raw_client import GET, PARK, ask, read_to_end
from tests.system.tiny_server import TinyServer, descriptors, open_server
from tests.system.until import until

pytestmark = pytest.mark.once

ATTACKER, REGULAR = "127.0.0.66", "127.0.0.5"


@contextmanager
def no_more_descriptors_than_now() -> Generator[None]:
    """Lower the soft limit so that no further descriptor can be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as lowest_free:
        limit = lowest_free.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Client:
    """A client whose descriptor is there before there are none any more; closed with the block."""

    def __init__(self, server: TinyServer) -> None:
        self._socket = trio.socket.socket()
        self._port = int(server.urls[0].rpartition(":")[2])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._socket.close()

    async def connect(self) -> trio.SocketStream:
        await self._socket.connect(("127.0.0.1", self._port))
        return trio.SocketStream(self._socket)

    async def is_reset(self) -> bool:
        """Return whether the connection is reset, while it is made or after."""
        try:
            return await (await self.connect()).receive_some(1) == b"never"
        except (OSError, trio.BrokenResourceError):
            return True


@asynccontextmanager
async def idlers(server: TinyServer, number: int) -> AsyncGenerator[list[trio.SocketStream]]:
    """Give connections of the attacker that have had their answer, and not only just come."""
    async with AsyncExitStack() as stack:
        idle = [
            await stack.enter_async_context(await server.connect(ATTACKER)) for _ in range(number)
        ]
        for stream in idle:
            await ask(stream, GET)
        await trio.sleep(FRESH_SECONDS)
        yield idle


async def test_without_descriptors_new_clients_are_reset_and_connected_ones_are_served() -> None:
    async with open_server() as server, await server.connect() as inside:
        await ask(inside, GET)
        with ExitStack() as stack:
            clients = [stack.enter_context(Client(server)) for _ in range(8)]
            stack.enter_context(no_more_descriptors_than_now())
            for client in clients:
                assert await client.is_reset()
            assert (await ask(inside, GET)).status == 200
        assert server.admission.refused == 8
        assert await server.gets_served()


async def test_while_no_client_connects_the_lack_of_descriptors_costs_no_time() -> None:
    async with open_server() as server:
        with Client(server) as client, no_more_descriptors_than_now():
            assert await client.is_reset()
            began = process_time()
            await trio.sleep(0.3)
            assert process_time() - began < 0.1
        assert await server.gets_served()


async def test_without_even_the_spare_descriptor_clients_wait_for_the_next_free_one() -> None:
    async with open_server() as server:
        with Client(server) as client, no_more_descriptors_than_now():
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # not even the spare's number
            stream = await client.connect()
            began = process_time()
            await trio.sleep(0.3)
            assert process_time() - began < 0.1
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft + 2, hard))
            assert (await ask(stream, GET)).status == 200


async def test_at_the_total_idle_connections_are_closed_and_waiting_ones_stay() -> None:
    admission = Admission(per_address=100, total=12)
    async with (
        open_server(admission=admission) as server,
        await server.connect(ATTACKER) as parked,
        await server.connect(REGULAR) as patient,
    ):
        for stream in (parked, patient):
            await stream.send_all(PARK)
        async with idlers(server, 10) as idle:
            assert await server.gets_served(REGULAR)
            assert [await read_to_end(stream) for stream in idle] == [b""] * 10
        assert (admission.shed, admission.refused, server.app.hung_up) == (10, 0, 0)
        await until(lambda: admission.open == 2)
        server.app.released.set()
        for stream in (parked, patient):
            assert b"coffee" in await stream.receive_some(65536)


async def test_without_descriptors_idle_connections_are_closed() -> None:
    async with open_server() as server, idlers(server, 4) as idle:
        with Client(server) as client, no_more_descriptors_than_now():
            assert (await ask(await client.connect(), GET)).status == 200
        assert [await read_to_end(one) for one in idle] == [b""] * 4
        assert (server.admission.shed, server.admission.refused) == (4, 0)


def test_a_spare_descriptor_resets_one_client_and_is_kept_again() -> None:
    before = descriptors()
    spare = Spare()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with (
            socket.create_connection(listener.getsockname()) as first,
            socket.create_connection(listener.getsockname()) as second,
            no_more_descriptors_than_now(),
        ):
            assert spare.reset_one(listener.fileno())
            assert is_reset(first)
            assert spare.reset_one(listener.fileno())
            assert is_reset(second)
            assert spare.reset_one(listener.fileno())  # nobody is there: no wait
    spare.close()
    spare.close()
    assert descriptors() == before


def is_reset(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b"never"
    except ConnectionResetError:
        return True


def test_a_spare_descriptor_that_is_taken_resets_no_client() -> None:
    spare = Spare()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with socket.create_connection(listener.getsockname()) as client:
            with no_more_descriptors_than_now():
                spare.close()
                taken = socket.socket()
                assert not spare.reset_one(listener.fileno())
                taken.close()
                assert spare.reset_one(listener.fileno())
            assert is_reset(client)
    spare.close()
