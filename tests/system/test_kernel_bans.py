"""Bans in the kernel, on real sockets: a banned address cannot connect."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import h11
import pytest
import structlog
import trio

from cafe.limits.address import address_key
from cafe.limits.admission import Admission
from cafe.limits.packet_filter import ROOM
from tests.system.door import GET, OpenDoor, ask, open_door, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a feature of Linux")

SO_LOCK_FILTER = 44  # Linux's asm-generic/socket.h
ATTACKER, REGULAR = "127.0.0.66", "127.0.0.5"
NO_ANSWER_SECONDS = 0.3
"""On loopback a connection stands in a millisecond, and a lost SYN is sent again after a second."""


async def connects(door: OpenDoor, source: str | None = None, url: str | None = None) -> bool:
    """Return whether a connection is established, whatever becomes of it."""
    with trio.move_on_after(NO_ANSWER_SECONDS) as scope:
        with suppress(ConnectionResetError):  # it was, and the accept loop was quick
            await (await door.connect(source, url)).aclose()
    return not scope.cancelled_caught


async def ban(door: OpenDoor, address: str, seconds: float = 60) -> None:
    """Ban an address, and wait until the kernel knows."""
    door.admission.ban(address, until=trio.current_time() + seconds)
    await until(lambda: not door.admission.bans_changed.is_set())


async def test_a_banned_address_does_not_connect_and_costs_the_process_nothing() -> None:
    async with open_door() as door:
        await ban(door, ATTACKER)
        for _ in range(2):
            assert not await connects(door, ATTACKER)
        assert await door.gets_served(REGULAR)
        assert door.admission.in_kernel == 1
        assert door.admission.refused == 0
        assert door.admission.take_refusals() == ()


async def test_after_its_ban_an_address_connects_even_with_the_same_attempt() -> None:
    async with open_door() as door:
        await ban(door, ATTACKER, seconds=0.5)
        assert not await connects(door, ATTACKER)
        assert await door.gets_served(ATTACKER)  # its kernel retries after a second
        assert door.admission.in_kernel == 0
        assert await connects(door, ATTACKER)


async def test_a_ban_of_an_ipv6_network_leaves_ipv4_alone_on_a_dual_stack_listener() -> None:
    async with open_door(bind="[::]:0") as door:
        port = door.urls[0].rpartition(":")[2]
        v4, v6 = f"http://127.0.0.1:{port}", f"http://[::1]:{port}"
        await ban(door, address_key("::1"))
        assert not await connects(door, url=v6)
        for source in (ATTACKER, REGULAR):
            assert await connects(door, source, url=v4)
        await ban(door, ATTACKER)
        assert not await connects(door, ATTACKER, url=v4)
        assert await connects(door, REGULAR, url=v4)


async def test_every_listener_of_the_server_drops_a_banned_address() -> None:
    async with open_door(bind=["127.0.0.1:0", "[::1]:0", "127.0.0.1:0"]) as door:
        await ban(door, ATTACKER)
        await ban(door, address_key("::1"))
        assert not await connects(door, ATTACKER, url=door.urls[0])
        assert not await connects(door, url=door.urls[1])
        assert not await connects(door, ATTACKER, url=door.urls[2])
        assert await connects(door, REGULAR, url=door.urls[2])


async def test_connections_made_during_a_ban_of_another_address_are_still_served() -> None:
    async with open_door() as door:
        await ban(door, ATTACKER)
        async with await door.connect(REGULAR) as regular:
            body = b"x" * 60_000  # many packets, which pass the filter that its socket inherited
            head = b"POST /echo HTTP/1.1\r\nHost: cafe\r\nContent-Length: 60000\r\n\r\n"
            assert (await ask(regular, head + body, "POST")).body == body
            await ban(door, "127.0.0.67")
            assert (await ask(regular, GET)).status == 200


async def test_the_kernel_accepts_the_largest_filter_time_after_time() -> None:
    async with open_door(admission=Admission(10, 100)) as door:
        start = int(ip_address("203.0.0.0"))
        for n in range(ROOM + 50):
            door.admission.ban(str(ip_address(start + n)), until=trio.current_time() + 60)
        await ban(door, ATTACKER)
        assert door.admission.in_kernel == ROOM
        assert not await connects(door, ATTACKER)
        assert await door.gets_served(REGULAR)
        for n in range(ROOM):
            door.admission.ban(f"2001:db8:{n:x}::/64", until=trio.current_time() + 60)
        await ban(door, "2001:db8:ffff::/64")
        await until(lambda: door.admission.in_kernel == ROOM // 3)
        assert await connects(door, ATTACKER)  # the filter has no room for it
        assert not await door_is_open_to(door, ATTACKER)


async def door_is_open_to(door: OpenDoor, source: str) -> bool:
    """Return whether an address is served once it has connected."""
    try:
        return await door.gets_served(source)
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
        async with open_door() as door:
            lock_filter(door.urls[0])
            for address in (ATTACKER, "127.0.0.67"):
                door.admission.ban(address, until=trio.current_time() + 60)
                await until(lambda: door.admission.in_kernel is None)
                assert await connects(door, address)
                assert not await door_is_open_to(door, address)
            assert await door.gets_served(REGULAR)
            assert dict(door.admission.take_refusals()).keys() == {ATTACKER, "127.0.0.67"}
    assert [line["event"] for line in lines] == ["bans are enforced without the kernel"]
