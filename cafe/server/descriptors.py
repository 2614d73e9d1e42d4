"""File descriptors: how many connections this process can hold.

Rule: connections never take the last descriptor. A reserve stays for what the shop opens besides
(listeners, database, logs), and a share for the baristas, whom no crowd of customers locks out.

Should something else use up the reserve, each server has a spare descriptor left: whoever
connects then is accepted on its number and reset, instead of being left to hope.
"""

from __future__ import annotations

import os
import resource
import socket
from dataclasses import dataclass

from cafe.server.socket_stream import reset

RESERVE = 128
BARISTAS = 1024
LEAST = 16
PLENTY = 2**20  # what Linux allows a process at most, as it comes


@dataclass(frozen=True, slots=True)
class Shares:
    """How many connections each of the two ports may hold."""

    client: int
    worker: int


def raise_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one; give what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return PLENTY
    wanted = PLENTY if hard == resource.RLIM_INFINITY else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS calls its hard limit unlimited, and does not mean it
        return soft
    return wanted


def share_out(limit: int) -> Shares:
    """Divide what `limit` descriptors allow between the two ports, after the reserve."""
    free = max(limit - min(RESERVE, limit // 2), 2 * LEAST)
    worker = max(min(BARISTAS, free // 8), LEAST)
    return Shares(client=free - worker, worker=worker)


class Spare:
    """A descriptor that is kept only to be given up for a moment; close it in the end."""

    def __init__(self) -> None:
        self._descriptor = _open()

    def reset_one(self, listener: int) -> bool:
        """Accept whoever connects to this listening descriptor, and reset him.

        Does not wait. Gives False when somebody else has taken even the spare; then nobody was
        accepted.
        """
        self.close()
        try:
            _reset_one(listener)
        except BlockingIOError:
            pass  # he has left meanwhile
        except OSError:
            return False
        finally:
            self._descriptor = _open()
        return True

    def close(self) -> None:
        """Give it back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None


def _reset_one(listener: int) -> None:
    borrowed = socket.socket(fileno=listener)  # a duplicate would take a descriptor of its own
    try:
        newcomer, _ = borrowed.accept()
    finally:
        borrowed.detach()
    reset(newcomer)
