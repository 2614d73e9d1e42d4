"""When the filter is rewritten, and what happens where it cannot be had; in virtual time."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import structlog
import trio
import trio.testing

from cafe.limits.address import parse_networks
from cafe.limits.admission import Admission
from cafe.limits.kernel_bans import REWRITE_SECONDS, drop_banned

FOREVER = 1e9


class Socket:
    """A listening socket that notes which of its options are set, and when."""

    def __init__(self, refuses: int = 0) -> None:
        self.options: list[tuple[str, float]] = []
        self._refuses = refuses

    def setsockopt(self, _level: int, option: int, _value: object) -> None:
        if option == self._refuses:
            raise PermissionError(1, "Operation not permitted")
        self.options.append(({26: "attach", 27: "detach"}[option], trio.current_time()))

    def names(self) -> list[str]:
        return [name for name, _ in self.options]


@asynccontextmanager
async def kept(*sockets: Socket, platform: str = "linux") -> AsyncGenerator[Admission]:
    """Keep the filter on these sockets; give whom to tell of bans."""
    admission = Admission(None, 10, parse_networks("198.51.100.0/24"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drop_banned, cast("Any", sockets), admission, platform)
        await trio.testing.wait_all_tasks_blocked()
        yield admission
        nursery.cancel_scope.cancel()


@pytest.mark.schedules(5)
async def test_bans_of_one_moment_go_in_together_and_at_once() -> None:
    sock = Socket()
    async with kept(sock) as admission:
        await trio.sleep(1)
        for n in range(10):
            admission.ban(f"192.0.2.{n}", FOREVER)
        await trio.sleep(0.01)
        assert admission.in_kernel == 10
        for n in range(10):
            admission.ban(f"192.0.3.{n}", FOREVER)
            await trio.sleep(0.001)
        assert admission.in_kernel == 10
        await trio.sleep(REWRITE_SECONDS)
        assert admission.in_kernel == 20
        assert sock.names() == ["attach"] * 2


@pytest.mark.schedules(5)
async def test_whoever_has_served_his_ban_leaves_the_filter_and_the_last_one_takes_it_along() -> (
    None
):
    sock = Socket()
    async with kept(sock) as admission:
        await trio.sleep(1)
        start = trio.current_time()
        admission.ban("192.0.2.1", start + 60)
        admission.ban("192.0.2.2", start + 30)
        await trio.sleep(31)
        assert admission.in_kernel == 1
        await trio.sleep(30)
        assert admission.in_kernel == 0
        assert sock.names() == ["attach", "attach", "detach"]
        assert [when - start for _, when in sock.options] == pytest.approx([0, 30, 60], abs=0.01)


@pytest.mark.schedules(5)
async def test_a_ban_that_changes_nothing_in_the_filter_costs_no_rewrite() -> None:
    sock = Socket()
    async with kept(sock) as admission:
        admission.ban("192.0.2.1", FOREVER)
        await trio.sleep(1)
        for key in ("192.0.2.1", "198.51.100.7", "no address"):
            admission.ban(key, FOREVER)
            await trio.sleep(1)
        assert admission.in_kernel == 1
        assert sock.names() == ["attach"]


@pytest.mark.schedules(5)
async def test_all_listeners_have_the_filter() -> None:
    sockets = [Socket(), Socket()]
    async with kept(*sockets) as admission:
        admission.ban("192.0.2.1", FOREVER)
        await trio.sleep(1)
    assert [one.names() for one in sockets] == [["attach"]] * 2


@pytest.mark.schedules(5)
async def test_a_kernel_that_refuses_is_asked_no_more_and_told_of_in_one_line() -> None:
    takes, refuses = Socket(), Socket(refuses=26)
    with structlog.testing.capture_logs() as lines:
        async with kept(takes, refuses) as admission:
            assert admission.in_kernel == 0
            for n in range(3):
                admission.ban(f"192.0.2.{n}", FOREVER)
                await trio.sleep(1)
                assert admission.in_kernel is None
    assert lines == [told("[Errno 1] Operation not permitted")]
    assert takes.names() == ["attach", "detach"]


@pytest.mark.schedules(5)
async def test_elsewhere_than_on_linux_no_option_is_touched_and_one_line_says_so() -> None:
    sock = Socket()
    with structlog.testing.capture_logs() as lines:
        async with kept(sock, platform="darwin") as admission:
            assert admission.in_kernel is None
            await trio.sleep(1)
            assert lines == []  # the baristas' port has no bans, and nothing to tell
            for n in range(3):
                admission.ban(f"192.0.2.{n}", FOREVER)
                await trio.sleep(1)
    assert lines == [told("only Linux has filters on sockets")]
    assert sock.options == []


def told(reason: str) -> dict[str, str]:
    return {
        "event": "bans are enforced without the kernel",
        "reason": reason,
        "log_level": "warning",
    }
