"""Bans in the kernel: a filter on the listening sockets drops the packets of banned addresses.

Rule: it saves work and decides nothing. The accept loop enforces every ban, also of clients that
are not in the filter: because it is full, the kernel refuses it, or a proxy must be spared.

A SYN that the filter drops is lost as if in the network: no connection, no answer, and no work for
this process. Until June 2026 a process needed no privilege to put such a filter on its
own sockets. Since then (Linux's commit 5d39580f68e6, which the stable series have as well) TCP
sockets accept one only from processes with CAP_NET_ADMIN. So a filter that drops nothing is tried
before there is any ban.

Accepted sockets inherit the filter that their listener has then, and keep it. That does no harm: a
socket has one peer, whose handshake has passed a filter that checks only its address. It costs a
fraction of a microsecond for each packet; removing it would cost a system call for each connection
instead.

The filter is a program in classic BPF (Linux's Documentation/networking/filter.rst), made by pure
functions from the bans. It reads the source address in a packet's IP header, IPv4 or IPv6, so one
program also serves a dual-stack listener. There IPv4 arrives in IPv4 packets, not as
::ffff:0:0/96: a ban of ::/64, which has ::1 in it, does not drop them.
"""

from __future__ import annotations

import errno
import re
import socket
import struct
import sys
from array import array
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from math import inf
from pathlib import Path
from typing import NamedTuple

import structlog
import trio

from cafe.limits.address import Networks
from cafe.limits.admission import Admission

ROOM = 500
"""How many addresses a filter holds; an IPv6 network counts as IPV6_ROOM of them.

Until version 6.5 Linux limits the options of a socket to 20 KiB, and an old filter keeps its share
until the new one has replaced it. So a filter may use half of that, 16 bytes an address.
"""

IPV6_ROOM = 3

# From Linux's linux/filter.h and linux/bpf_common.h. A is the register, k the operand.
_LOAD_WORD = 0x20  # A = the word at k
_LOAD_BYTE = 0x30
_LOAD_KEPT = 0x60  # A = the scratch word k
_KEEP = 0x02
_SHIFT_RIGHT = 0x74
_IF_EQUAL = 0x15  # skip jt instructions when A == k, else jf
_SKIP = 0x05  # skip k instructions
_RETURN = 0x06  # let k bytes of the packet through
_NETWORK_HEADER = -0x100000  # SKF_NET_OFF: offsets from here begin at the IP header
_VERSION, _IPV4_SOURCE, _IPV6_SOURCE = 0, 12, 8
_IPV4 = 4
_HIGH, _LOW = 0, 1  # where the halves of an IPv6 network are kept
_LAYOUT = "=HBBI"  # of a `struct sock_filter`
_FURTHEST = 255  # an offset of a conditional jump is one byte

Network = IPv4Network | IPv6Network


class Instruction(NamedTuple):
    """One instruction of a classic BPF program."""

    code: int
    jt: int = 0
    jf: int = 0
    k: int = 0

    def packed(self) -> bytes:
        """Return it as the kernel's `struct sock_filter`."""
        return struct.pack(_LAYOUT, *self)


DROP = Instruction(_RETURN, k=0)
PASS = Instruction(_RETURN, k=2**32 - 1)
"""The whole packet: with a smaller k an accepted socket would receive truncated packets."""


def fitting(bans: Iterable[tuple[str, float]], trusted: Networks = ()) -> dict[Network, float]:
    """Return the networks of the first of these bans, as many as fit, and when they end.

    Skips keys that are no IP address, and networks with a trusted proxy in them, which forwards for
    many clients.
    """
    chosen: dict[Network, float] = {}
    room = ROOM
    for key, until in bans:
        network = _parse(key)
        if network is None or any(_overlap(network, other) for other in trusted):
            continue
        room -= 1 if isinstance(network, IPv4Network) else IPV6_ROOM
        if room < 0:
            break
        chosen[network] = until
    return chosen


def assemble(networks: Iterable[Network]) -> tuple[Instruction, ...]:
    """Return the program that drops packets from these IPv4 addresses and IPv6 /64s only.

    The program compares with one after the other: that is the smallest program, and takes no longer
    than the kernel needs for the packet anyway.
    """
    known = tuple(networks)
    if_ipv4 = (
        _load(_LOAD_WORD, _IPV4_SOURCE),
        *_drop_if_any([_ipv4_test(one) for one in known if isinstance(one, IPv4Network)]),
        PASS,
    )
    if_ipv6 = (
        _load(_LOAD_WORD, _IPV6_SOURCE),
        Instruction(_KEEP, k=_HIGH),
        _load(_LOAD_WORD, _IPV6_SOURCE + 4),
        Instruction(_KEEP, k=_LOW),
        *_drop_if_any([_ipv6_test(one) for one in known if isinstance(one, IPv6Network)]),
        PASS,
    )
    return (
        _load(_LOAD_BYTE, _VERSION),
        Instruction(_SHIFT_RIGHT, k=4),
        Instruction(_IF_EQUAL, jt=1, k=_IPV4),
        Instruction(_SKIP, k=len(if_ipv4)),
        *if_ipv4,
        *if_ipv6,
    )


def _load(code: int, offset: int) -> Instruction:
    return Instruction(code, k=(_NETWORK_HEADER + offset) % 2**32)


def _ipv4_test(network: IPv4Network) -> list[Instruction]:
    return [Instruction(_IF_EQUAL, k=int(network.network_address))]


def _ipv6_test(network: IPv6Network) -> list[Instruction]:
    high, low = divmod(int(network.network_address) >> 64, 2**32)
    return [
        Instruction(_LOAD_KEPT, k=_HIGH),
        Instruction(_IF_EQUAL, jf=2, k=high),
        Instruction(_LOAD_KEPT, k=_LOW),
        Instruction(_IF_EQUAL, k=low),
    ]


def _drop_if_any(tests: Sequence[list[Instruction]]) -> list[Instruction]:
    """Return the tests one after the other, each jumping to a DROP within its reach."""
    code: list[Instruction] = []
    at_once = _FURTHEST // len(tests[0]) if tests else 1
    for start in range(0, len(tests), at_once):
        some = tests[start : start + at_once]
        left = sum(len(test) for test in some)
        for test in some:
            left -= len(test)
            code += [*test[:-1], test[-1]._replace(jt=left + 1)]
        code += [Instruction(_SKIP, k=1), DROP]
    return code


def _parse(key: str) -> Network | None:
    """Return the network of a key of `address_key`; None if it is not that of an IP address."""
    try:
        network = ip_network(key)
    except ValueError:
        return None
    return network if network.prefixlen == (32 if network.version == _IPV4 else 64) else None


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


REWRITE_SECONDS = 0.1
"""The minimum time between rewrites of the filter; bans that come meanwhile go in together."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("ban")

CAPABILITY = "CAP_NET_ADMIN"
_CAP_NET_ADMIN = 12  # its bit, from Linux's linux/capability.h

# From Linux's asm-generic/socket.h; the socket module does not name them.
_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27


async def drop_banned(
    sockets: Sequence[socket.socket], admission: Admission, platform: str = sys.platform
) -> None:
    """Keep the newest bans of `admission` in a filter on these listening sockets.

    Returns only if the kernel refuses that: at the first ban, after one line in the log with the
    reason.
    """
    kernel = _Kernel(sockets, platform)
    try:
        kernel.try_out()
        while True:
            admission.bans_changed = trio.Event()
            ends = fitting(admission.newest_bans(), admission.trusted)
            kernel.drop(ends)
            admission.in_kernel = len(ends)
            await trio.sleep(REWRITE_SECONDS)
            with trio.move_on_at(min(ends.values(), default=inf)):
                await admission.bans_changed.wait()
    except OSError as error:
        kernel.clear()
        admission.in_kernel = None
        # Before the first ban the filter would not matter, so nothing is logged.
        while not fitting(admission.newest_bans(), admission.trusted):
            admission.bans_changed = trio.Event()
            await admission.bans_changed.wait()
        needs = {"needs": CAPABILITY} if lacks_capability(error) else {}
        log.warning("bans are enforced without the kernel", reason=str(error), **needs)


def lacks_capability(error: OSError, status: Path = Path("/proc/self/status")) -> bool:
    """Return whether the kernel refuses a filter because the process lacks CAPABILITY.

    A process that has it can be refused as well: by a sandbox, or in another's network namespace.
    """
    if error.errno != errno.EPERM:
        return False
    try:
        has = re.search(r"^CapEff:\s*([0-9a-f]+)$", status.read_text("ascii"), re.MULTILINE)
    except OSError:
        return False
    return has is not None and not int(has[1], 16) >> _CAP_NET_ADMIN & 1


class _Kernel:
    """The filter of some listening sockets, which all have the same one, or none."""

    def __init__(self, sockets: Sequence[socket.socket], platform: str) -> None:
        self._has_filters = platform == "linux"  # elsewhere the option's number means another one
        self._sockets = sockets
        self._program: list[bytes] = []

    def try_out(self) -> None:
        """Raise OSError if the kernel accepts no filter from this process; leave none attached."""
        if not self._has_filters:
            raise OSError("only Linux has filters on sockets")
        self._attach([one.packed() for one in assemble(())])
        self.clear()

    def drop(self, networks: Collection[Network]) -> None:
        """Drop packets from these networks, and no others. Raises OSError."""
        program = [one.packed() for one in assemble(networks)] if networks else []
        if program == self._program:
            return
        if program:
            self._attach(program)
        else:
            self.clear()
        self._program = program

    def clear(self) -> None:
        """Detach the filter."""
        if self._has_filters:
            for sock in self._sockets:
                with suppress(OSError):  # it has none
                    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)

    def _attach(self, program: Sequence[bytes]) -> None:
        code = array("B", b"".join(program))
        address, _ = code.buffer_info()
        fprog = struct.pack("@HP", len(program), address)
        for sock in self._sockets:
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
