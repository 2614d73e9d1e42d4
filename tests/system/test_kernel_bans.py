"""Bans in the kernel, on real sockets: a banned address cannot connect."""

from __future__ import annotations

import os
import socket
import struct
import sys
from array import array
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import h11
import pytest
import structlog
import trio

from cafe.limits.address import address_key
from cafe.limits.admission import Admission
from cafe.limits.kernel_bans import DROP, ROOM
from tests.system.raw_client import GET, ask
from tests.system.tiny_server import TinyServer, open_server
from tests.system.until import until

SO_ATTACH_FILTER = 26  # Linux's asm-generic/socket.h


def why_not() -> str:
    """Return why this kernel takes no filter from this process; empty if it does."""
    if sys.platform != "linux":
        return "a feature of Linux"
    code = array("B", DROP.packed())
    with socket.socket() as sock:
        try:
            sock.setsockopt(
                socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", 1, code.buffer_info()[0])
            )
        except OSError as error:
            return f"no filter on a socket here: {error.strerror}"
    return ""


pytestmark = pytest.mark.skipif(bool(reason := why_not()), reason=reason)

SO_LOCK_FILTER = 44
ATTACKER, REGULAR = "127.0.0.66", "127.0.0.5"
NO_ANSWER_SECONDS = 0.3
"""On loopback a connection takes a millisecond, and a lost SYN is sent again after a second."""


async def connects(server: TinyServer, source: str | None = None, url: str | None = None) -> bool:
    """Return whether a connection is established, even if it is then closed."""
    with trio.move_on_after(NO_ANSWER_SECONDS) as scope:
        with suppress(ConnectionResetError):  # established, then refused at accept
            await (await server.connect(source, url)).aclose()
    return not scope.cancelled_caught


async def ban(server: TinyServer, address: str, seconds: float = 60) -> None:
    """Ban an address, and wait until the kernel knows."""
    server.admission.ban(address, until=trio.current_time() + seconds)
    await until(lambda: not server.admission.bans_changed.is_set())


async def test_a_banned_address_does_not_connect_and_costs_the_process_nothing() -> None:
    async with open_server() as server:
        await ban(server, ATTACKER)
        for _ in range(2):
            assert not await connects(server, ATTACKER)
        assert await server.gets_served(REGULAR)
        assert server.admission.in_kernel == 1
        assert server.admission.refused == 0
        assert server.admission.take_refusals() == ()


async def test_after_its_ban_an_address_connects_even_with_the_same_attempt() -> None:
    async with open_server() as server:
        await ban(server, ATTACKER, seconds=0.5)
        assert not await connects(server, ATTACKER)
        assert await server.gets_served(ATTACKER)  # its kernel retries after a second
        assert server.admission.in_kernel == 0
        assert await connects(server, ATTACKER)


async def test_a_ban_of_an_ipv6_network_leaves_ipv4_alone_on_a_dual_stack_listener() -> None:
    async with open_server(bind="[::]:0") as server:
        port = server.urls[0].rpartition(":")[2]
        v4, v6 = f"http://127.0.0.1:{port}", f"http://[::1]:{port}"
        await ban(server, address_key("::1"))
        assert not await connects(server, url=v6)
        for source in (ATTACKER, REGULAR):
            assert await connects(server, source, url=v4)
        await ban(server, ATTACKER)
        assert not await connects(server, ATTACKER, url=v4)
        assert await connects(server, REGULAR, url=v4)


async def test_every_listener_of_the_server_drops_a_banned_address() -> None:
    async with open_server(bind=["127.0.0.1:0", "[::1]:0", "127.0.0.1:0"]) as server:
        await ban(server, ATTACKER)
        await ban(server, address_key("::1"))
        assert not await connects(server, ATTACKER, url=server.urls[0])
        assert not await connects(server, url=server.urls[1])
        assert not await connects(server, ATTACKER, url=server.urls[2])
        assert await connects(server, REGULAR, url=server.urls[2])


async def test_connections_made_during_a_ban_of_another_address_are_still_served() -> None:
    async with open_server() as server:
        await ban(server, ATTACKER)
        async with await server.connect(REGULAR) as regular:
            body = b"x" * 60_000  # many packets, which pass the filter that its socket inherited
            head = b"POST /echo HTTP/1.1\r\nHost: cafe\r\nContent-Length: 60000\r\n\r\n"
            assert (await ask(regular, head + body, "POST")).body == body
            await ban(server, "127.0.0.67")
            assert (await ask(regular, GET)).status == 200


async def test_the_kernel_accepts_the_largest_filter_time_after_time() -> None:
    async with open_server(admission=Admission(10, 100)) as server:
        start = int(ip_address("203.0.0.0"))
        for n in range(ROOM + 50):
            server.admission.ban(str(ip_address(start + n)), until=trio.current_time() + 60)
        await ban(server, ATTACKER)
        assert server.admission.in_kernel == ROOM
        assert not await connects(server, ATTACKER)
        assert await server.gets_served(REGULAR)
        for n in range(ROOM):
            server.admission.ban(f"2001:db8:{n:x}::/64", until=trio.current_time() + 60)
        await ban(server, "2001:db8:ffff::/64")
        await until(lambda: server.admission.in_kernel == ROOM // 3)
        assert await connects(server, ATTACKER)  # the filter has no room for it
        assert not await is_served_once_connected(server, ATTACKER)


async def is_served_once_connected(server: TinyServer, source: str) -> bool:
    """Return whether an address is served once it has connected."""
    try:
        return await server.gets_served(source)
    except (OSError, trio.BrokenResourceError, h11.RemoteProtocolError):
        return False


def lock_filter(url: str) -> None:
    """Have the kernel refuse every filter on the socket that listens at `url`."""
    port = int(url.rpartition(":")[2])
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(entry.name))) as twin:
            if twin.family == socket.AF_INET and twin.getsockname()[1] == port:
                twin.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)


async def test_if_the_kernel_refuses_the_filter_one_line_says_so_and_bans_act_at_accept() -> None:
    with structlog.testing.capture_logs() as lines:
        async with open_server() as server:
            lock_filter(server.urls[0])
            for address in (ATTACKER, "127.0.0.67"):
                server.admission.ban(address, until=trio.current_time() + 60)
                await until(lambda: server.admission.in_kernel is None)
                assert await connects(server, address)
                assert not await is_served_once_connected(server, address)
            assert await server.gets_served(REGULAR)
            assert dict(server.admission.take_refusals()).keys() == {ATTACKER, "127.0.0.67"}
    assert [line["event"] for line in lines] == ["bans are enforced without the kernel"]
