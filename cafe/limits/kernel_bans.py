"""Bans in the kernel: a filter on the listening sockets drops what banned addresses send.

Rule: it saves work and decides nothing. The accept loop enforces every ban, and refuses a client
that is not in the filter: for want of room, of a kernel that takes it, or to spare a proxy.

A SYN that the filter drops is as lost as one in the network: no connection, no answer, and nothing
for this process to do. A process needs no privileges to put such a filter on its own sockets.

Accepted sockets inherit the filter that their listener has just then, and keep it. That does no
harm: a socket has one peer, whose handshake has passed a filter that looks at nothing but its
address. It costs them a fraction of a microsecond for each packet; taking it off again would
cost a system call for each connection instead.
"""

from __future__ import annotations

import socket
import struct
import sys
from array import array
from collections.abc import Collection, Sequence
from contextlib import suppress
from math import inf

import structlog
import trio

from cafe.limits.admission import Admission
from cafe.limits.packet_filter import Network, assemble, fitting

REWRITE_SECONDS = 0.1
"""The filter is rewritten at most this often; the bans that come meanwhile go in together."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("ban")

# From Linux's asm-generic/socket.h; the socket module does not name them.
_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27


async def drop_banned(
    sockets: Sequence[socket.socket], admission: Admission, platform: str = sys.platform
) -> None:
    """Keep the newest bans of `admission` in a filter on these listening sockets, for ever.

    Returns only where that cannot be had, and says so in one line of the log.
    """
    kernel = _Kernel(sockets, platform)
    while True:
        admission.bans_changed = trio.Event()
        ends = fitting(admission.newest_bans(), admission.trusted)
        try:
            kernel.drop(ends)
        except OSError as error:
            kernel.clear()
            admission.in_kernel = None
            log.warning("bans are enforced without the kernel", reason=str(error))
            return
        admission.in_kernel = len(ends) if kernel.has_filters else None
        await trio.sleep(REWRITE_SECONDS)
        with trio.move_on_at(min(ends.values(), default=inf)):
            await admission.bans_changed.wait()


class _Kernel:
    """The filter of some listening sockets, which all have the same one, or none."""

    def __init__(self, sockets: Sequence[socket.socket], platform: str) -> None:
        self.has_filters = platform == "linux"  # elsewhere the option's number means another one
        self._sockets = sockets
        self._program: list[bytes] = []

    def drop(self, networks: Collection[Network]) -> None:
        """Drop what comes from these networks, and nothing else. Raises OSError."""
        program = [one.packed() for one in assemble(networks)] if networks else []
        if program == self._program:
            return
        if not self.has_filters:
            raise OSError("only Linux has filters on sockets")
        if program:
            self._attach(program)
        else:
            self.clear()
        self._program = program

    def clear(self) -> None:
        """Drop nothing any more."""
        if self.has_filters:
            for sock in self._sockets:
                with suppress(OSError):  # it has none
                    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)

    def _attach(self, program: Sequence[bytes]) -> None:
        code = array("B", b"".join(program))
        address, _ = code.buffer_info()
        fprog = struct.pack("@HP", len(program), address)
        for sock in self._sockets:
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
