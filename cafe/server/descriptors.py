"""File descriptors: how many connections this process can hold.

Rule: connections never take the last descriptor. A reserve is kept for the shop's other files
(listeners, database, logs), and a share for the baristas, so that no crowd of customers locks them
out.

If something else uses up the reserve, each server still has a spare descriptor: a client that
connects then is accepted on its number and reset, instead of being left to wait.
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
PLENTY = 2**20  # Linux's default maximum for a process


@dataclass(frozen=True, slots=True)
class Shares:
    """How many connections each of the two ports may hold."""

    client: int
    worker: int


def raise_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one; return the new soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return PLENTY
    wanted = PLENTY if hard == resource.RLIM_INFINITY else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS calls its hard limit unlimited, and refuses that
        return soft
    return wanted


def share_out(limit: int) -> Shares:
    """Divide `limit` descriptors, less the reserve, between the two ports."""
    free = max(limit - min(RESERVE, limit // 2), 2 * LEAST)
    worker = max(min(BARISTAS, free // 8), LEAST)
    return Shares(client=free - worker, worker=worker)


class Spare:
    """A descriptor that is kept only to be closed for a moment when there are no others."""

    def __init__(self) -> None:
        self._descriptor = _open()

    def reset_one(self, listener: int) -> bool:
        """Accept the next client of this listening descriptor, if there is one, and reset it.

        Does not wait. Returns False, with no client accepted, if something else in the process has
        taken even the spare.
        """
        self.close()
        try:
            _reset_one(listener)
        except BlockingIOError:
            pass  # the client has left meanwhile
        except OSError:
            return False
        finally:
            self._descriptor = _open()
        return True

    def close(self) -> None:
        """Close it, if it is open."""
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
