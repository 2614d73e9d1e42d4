"""When the filter is rewritten, and what happens where it cannot be had; in virtual time."""

from __future__ import annotations

import errno
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from cafe.limits import kernel_bans as module
from cafe.limits.address import address_key, parse_networks
from cafe.limits.admission import Admission
from cafe.limits.kernel_bans import REWRITE_SECONDS, Instruction, assemble, drop_banned, fitting

FOREVER = 1e9
WHOLE = 2**32 - 1
NETWORK_HEADER = 2**32 - 0x100000


def packet(source: str) -> bytes:
    """Return an IP header from `source`, as the kernel shows it to a filter."""
    address = ip_address(source)
    if isinstance(address, IPv4Address):
        return bytes([0x45]) + bytes(11) + address.packed + bytes(4)
    return bytes([0x60]) + bytes(7) + address.packed + bytes(16)


def run(program: Sequence[Instruction], header: bytes) -> int:
    """Interpret classic BPF: give how much of the packet is let through."""
    a, at = 0, 0
    kept: dict[int, int] = {}
    while True:
        code, jt, jf, k = program[at]
        at += 1
        if code == 0x30:
            a = header[k - NETWORK_HEADER]
        elif code == 0x20:
            a = int.from_bytes(header[k - NETWORK_HEADER :][:4])
        elif code == 0x60:
            a = kept[k]
        elif code == 0x02:
            kept[k] = a
        elif code == 0x74:
            a >>= k
        elif code == 0x15:
            at += jt if a == k else jf
        elif code == 0x05:
            at += k
        else:
            assert code == 0x06
            return k


def filter_of(keys: Sequence[str], trusted: str = "") -> tuple[Instruction, ...]:
    return assemble(fitting([(key, FOREVER) for key in keys], parse_networks(trusted)))


def dropped(program: Sequence[Instruction], source: str) -> bool:
    passed = run(program, packet(source))
    assert passed in {0, WHOLE}
    return passed == 0


def near_ipv4(a: int, b: int) -> str:
    return str(IPv4Address((a << 30) + b))


def near_ipv6(high: int, low: int, host: int) -> str:
    return str(IPv6Address((high << 96) + (low << 64) + host))


few = st.integers(0, 3)
# Near each other, so that one differs from the next in a single half of the address.
halves = few | st.integers(0, 2**32 - 1)
hosts = (
    st.builds(near_ipv4, few, few)
    | st.builds(near_ipv6, halves, halves, few)
    | st.ip_addresses().map(str)
)


def is_ipv4_in_ipv6(host: str) -> bool:
    """Return whether it never comes in an IPv6 packet."""
    return address_key(host) != host and ":" not in address_key(host)


@given(st.lists(hosts, max_size=300), st.lists(hosts, min_size=1))
def test_it_drops_the_same_packets_as_a_plain_set(banned: list[str], others: list[str]) -> None:
    keys = list(dict.fromkeys(map(address_key, banned)))
    program = filter_of(keys)
    in_it = {str(one).removesuffix("/32") for one in fitting((key, FOREVER) for key in keys)}
    for host in [*banned, *others]:
        if not is_ipv4_in_ipv6(host):
            assert dropped(program, host) == (address_key(host) in in_it)


@given(st.lists(hosts, max_size=20), st.lists(hosts, max_size=20))
def test_it_drops_no_trusted_proxy(banned: list[str], proxies: list[str]) -> None:
    program = filter_of([address_key(host) for host in banned], ", ".join(proxies))
    for proxy in proxies:
        if not is_ipv4_in_ipv6(proxy):
            assert not dropped(program, proxy)


@pytest.mark.parametrize(
    ("ban", "proxies"),
    [
        ("192.0.2.1", "192.0.2.0/24"),
        ("192.0.2.1", "0.0.0.0/0"),
        ("2001:db8::/64", "2001:db8::7"),
        ("2001:db8::/64", "2001:db8::/32"),
        ("2001:db8::/64", "2001:db8::ff00/120"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
    ],
)
def test_a_network_that_overlaps_with_trusted_proxies_is_left_out(ban: str, proxies: str) -> None:
    assert fitting([(ban, FOREVER)], parse_networks(proxies)) == {}


def test_a_ban_of_ipv6_loopback_does_not_drop_ipv4() -> None:
    program = filter_of([address_key("::1")])
    assert dropped(program, "::1")
    assert not dropped(program, "127.0.0.1")
    assert not dropped(program, "0.0.0.0")


def test_keys_that_are_no_ip_address_are_skipped() -> None:
    keys = ["unix:/run/cafe", "", "10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]
    assert [str(one) for one in fitting((key, FOREVER) for key in keys)] == ["192.0.2.1/32"]


def test_it_has_room_for_the_first_bans_and_skips_the_rest() -> None:
    v4 = [f"10.0.{n // 256}.{n % 256}" for n in range(module.ROOM + 1)]
    program = filter_of(v4)
    assert [dropped(program, host) for host in v4] == [True] * module.ROOM + [False]
    v6 = [f"2001:db8:{n:x}::/64" for n in range(module.ROOM)]
    program = filter_of(v6)
    most = module.ROOM // module.IPV6_ROOM
    assert [dropped(program, f"2001:db8:{n:x}::1") for n in (0, most - 1, most)] == [
        True,
        True,
        False,
    ]


@given(st.lists(hosts, max_size=700))
def test_the_kernel_would_accept_its_jumps(banned: list[str]) -> None:
    program = filter_of([address_key(host) for host in banned])
    assert len(program) <= 4096
    assert program[-1].code == 0x06
    for at, one in enumerate(program):
        for jump in (one.jt, one.jf, one.k if one.code == 0x05 else 0):
            assert at + 1 + jump < len(program) or one.code == 0x06
        assert max(one.jt, one.jf) <= 255
        assert len(one.packed()) == 8


def test_the_page_for_operators_says_how_many_bans_fit() -> None:
    page = Path(__file__).parents[3].joinpath("docs", "attacks.md").read_text("utf-8")
    room, networks = module.ROOM, module.ROOM // module.IPV6_ROOM
    assert f"{room} IPv4 addresses or {networks} IPv6 networks" in page


NEEDS = {"needs": "CAP_NET_ADMIN"} if module.lacks_capability(PermissionError(1, "")) else {}
"""What the line of the log has, if the tests run without that capability."""


class Socket:
    """A listening socket that notes which of its options are set, and when."""

    def __init__(self, refuses: int = 0, after: int = 0) -> None:
        """Refuse an option with this number, `after` it was set so often."""
        self._set: list[tuple[str, float]] = []
        self._refuses = refuses
        self._after = after

    def setsockopt(self, _level: int, option: int, _value: object) -> None:
        if option == self._refuses:
            if not self._after:
                raise PermissionError(1, "Operation not permitted")
            self._after -= 1
        self._set.append(({26: "attach", 27: "detach"}[option], trio.current_time()))

    @property
    def options(self) -> list[tuple[str, float]]:
        """Return what was set after the filter had been tried out."""
        tried = [name for name, _ in self._set[:2]]
        return self._set[2:] if tried == ["attach", "detach"] else self._set

    def names(self) -> list[str]:
        return [name for name, _ in self.options]


@asynccontextmanager
async def kept(*sockets: Socket, platform: str = "linux") -> AsyncGenerator[Admission]:
    """Keep the filter on these sockets; yield the admission that has the bans."""
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
async def test_an_expired_ban_leaves_the_filter_and_the_last_one_detaches_it() -> None:
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
async def test_a_kernel_that_refuses_is_not_asked_again_and_logged_in_one_line() -> None:
    takes, refuses = Socket(), Socket(refuses=26, after=1)
    with structlog.testing.capture_logs() as lines:
        async with kept(takes, refuses) as admission:
            assert admission.in_kernel == 0
            for n in range(3):
                admission.ban(f"192.0.2.{n}", FOREVER)
                await trio.sleep(1)
                assert admission.in_kernel is None
    assert lines == [logged("[Errno 1] Operation not permitted", **NEEDS)]
    assert takes.names() == ["attach", "detach"]


@pytest.mark.schedules(5)
async def test_that_the_kernel_refuses_is_known_before_the_first_ban_and_said_with_it() -> None:
    with structlog.testing.capture_logs() as lines:
        async with kept(Socket(refuses=26)) as admission:
            await trio.sleep(1)
            assert admission.in_kernel is None
            assert lines == []
            for key in ("no address", "192.0.2.1", "192.0.2.2"):
                admission.ban(key, FOREVER)
                await trio.sleep(1)
                assert admission.in_kernel is None
    assert lines == [logged("[Errno 1] Operation not permitted", **NEEDS)]


@pytest.mark.parametrize(
    ("number", "held", "lacks"),
    [
        (errno.EPERM, "0000000000000000", True),
        (errno.EPERM, "0000000000002000", True),  # CAP_NET_RAW, which is not enough
        (errno.EPERM, "0000000000001000", False),  # a sandbox refuses, or a lock
        (errno.ENOPROTOOPT, "0000000000000000", False),
        (errno.EPERM, None, False),
    ],
)
def test_the_capability_is_named_if_it_is_what_the_process_lacks(
    number: int, held: str | None, *, lacks: bool, tmp_path: Path
) -> None:
    status = tmp_path / "status"
    if held is not None:
        status.write_text(f"Name:\tcafe\nCapPrm:\t0000000000001000\nCapEff:\t{held}\nSeccomp:\t0\n")
    assert module.lacks_capability(OSError(number, "refused"), status) is lacks


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
    assert lines == [logged("only Linux has filters on sockets")]
    assert sock.options == []


def logged(reason: str, **more: str) -> dict[str, str]:
    return {
        **more,
        "event": "bans are enforced without the kernel",
        "reason": reason,
        "log_level": "warning",
    }
