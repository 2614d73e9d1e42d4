"""Who may connect: caps and bans act at accept, on real sockets from several loopback addresses."""

from __future__ import annotations

import socket
from math import inf
from urllib.parse import urlsplit

import pytest
import trio

from cafe.limits.address import parse_networks
from cafe.limits.admission import Admission
from tests.system.raw_client import GET, PARK, ask, read_to_end
from tests.system.tiny_server import TinyServer, descriptors, open_server
from tests.system.until import until

ATTACKER, REGULAR, PROXY = "127.0.0.66", "127.0.0.5", "127.0.0.99"


NO_ANSWER_SECONDS = 0.3
"""On loopback a connection stands in a millisecond, and a lost SYN is sent again after a second."""


async def is_refused(server: TinyServer, source: str) -> bool:
    """Return whether a new connection is reset before anything is read from it, or not established.

    A banned client may be kept away by the kernel already: see test_kernel_bans.
    """
    with trio.move_on_after(NO_ANSWER_SECONDS):
        try:
            async with await server.connect(source) as stream:
                return await stream.receive_some(1) == b""
        except (OSError, trio.BrokenResourceError):
            return True
    return True


async def test_an_address_at_its_cap_is_refused_and_others_are_served() -> None:
    admission = Admission(per_address=3, total=100)
    async with open_server(admission=admission) as server:
        streams = [await server.connect(ATTACKER) for _ in range(3)]
        await until(lambda: admission.open == 3)
        assert await is_refused(server, ATTACKER)
        assert await server.gets_served(REGULAR)
        assert admission.refused == 1
        assert admission.take_refusals() == ((ATTACKER, 1),)
        for stream in streams:
            await stream.aclose()
        await until(lambda: admission.open == 0)
        assert await server.gets_served(ATTACKER)


async def test_a_refusal_by_the_total_counts_against_no_address() -> None:
    admission = Admission(per_address=100, total=2)
    async with open_server(admission=admission) as server:
        async with await server.connect(ATTACKER), await server.connect(REGULAR):
            await until(lambda: admission.open == 2)
            assert await is_refused(server, "127.0.0.7")
            assert admission.refused == 1
            assert admission.take_refusals() == ()
        await until(lambda: admission.open == 0)
        assert await server.gets_served("127.0.0.7")


async def test_a_trusted_proxy_has_no_cap_but_the_total() -> None:
    admission = Admission(per_address=1, total=4, trusted=parse_networks(f"{PROXY}/32"))
    async with open_server(admission=admission) as server:
        streams = [await server.connect(PROXY) for _ in range(4)]
        await until(lambda: admission.open == 4)
        assert await is_refused(server, PROXY)
        for stream in streams:
            await stream.aclose()
        await until(lambda: admission.open == 0)
        admission.ban(PROXY, until=inf)
        assert await server.gets_served(PROXY)


STATES = {
    "just accepted": b"",
    "half a head": b"GET / HTT",
    "half a body": b"POST /echo HTTP/1.1\r\nHost: cafe\r\nContent-Length: 9\r\n\r\nmi",
    "parked": PARK,
    "parked, more pipelined": PARK + GET * 10,
    "parked, more than is read ahead": PARK + b"x" * 200_000,
    "not reading": GET.replace(b"/ ", b"/endless "),
    "answered for the last time": b"GET / HTTP/1.0\r\n\r\n",
    "idle": GET,
}


@pytest.mark.parametrize("raw", STATES.values(), ids=STATES)
async def test_a_ban_closes_what_is_open_in_every_state_and_refuses_what_comes(raw: bytes) -> None:
    async with (
        open_server() as server,
        await server.connect(ATTACKER) as attacker,
        await server.connect(REGULAR) as regular,
    ):
        await attacker.send_all(raw)
        await regular.send_all(PARK)
        await until(lambda: server.app.parked == 1 + (PARK in raw))
        await until(lambda: server.admission.open == 2)
        server.admission.ban(ATTACKER, until=trio.current_time() + 60)
        await until(lambda: server.admission.open == 1)
        await read_to_end(attacker)
        assert await is_refused(server, ATTACKER)
        assert await server.gets_served("127.0.0.7")
        server.app.released.set()
        assert b"coffee" in bytes(await regular.receive_some(65536))


async def test_a_ban_ends_by_itself() -> None:
    async with open_server() as server:
        server.admission.ban(ATTACKER, until=trio.current_time() + 0.4)
        assert await is_refused(server, ATTACKER)
        await until(lambda: not list(server.admission.newest_bans()))
        assert await server.gets_served(ATTACKER)


async def test_descriptors_are_back_where_they_were_after_many_connections() -> None:
    before = descriptors()
    async with open_server() as server:
        for _ in range(5):
            streams = [await server.connect(f"127.0.0.{n}") for n in range(2, 42)]
            for stream in streams:
                await ask(stream, GET)
            for stream in streams:
                await stream.aclose()
        await until(lambda: server.admission.open == 0)
    assert descriptors() == before


def connect_for_nothing(server: TinyServer, source: str, times: int) -> None:
    """Order so often and hang up at once, before the server has had its turn."""
    place = urlsplit(server.urls[0])
    for _ in range(times):
        with socket.create_connection((place.hostname, place.port), 5, (source, 0)) as client:
            client.sendall(PARK)


async def test_a_client_that_orders_and_hangs_up_at_once_is_soon_refused_unread() -> None:
    async with open_server() as server, await server.connect(REGULAR) as regular:
        await regular.send_all(PARK)
        await until(lambda: server.app.parked == 1)
        connect_for_nothing(server, ATTACKER, 500)
        await until(lambda: server.admission.refused > 300)
        await until(lambda: server.admission.open == 1)
        ((who, times),) = server.admission.take_refusals()
        assert who == ATTACKER
        assert times == server.admission.refused
        assert await server.gets_served(REGULAR)
        server.app.released.set()
        assert b"coffee" in bytes(await regular.receive_some(65536))


async def test_groups_of_200_from_one_address_are_never_refused() -> None:
    async with open_server() as server:
        for _ in range(3):
            streams = [await server.connect(REGULAR) for _ in range(200)]
            async with trio.open_nursery() as nursery:
                for stream in streams:
                    nursery.start_soon(ask, stream, GET)
            for stream in streams:
                await stream.aclose()
        # A whole group that hangs up at once, unanswered, is not refused either.
        connect_for_nothing(server, REGULAR, 19)
        assert await server.gets_served(REGULAR)
        assert server.admission.refused == 0
