"""File descriptors: how many connections this process can hold.

Rule: connections never take the last descriptor. A reserve stays for what the shop opens besides
(listeners, database, logs), and a share for the baristas, whom no crowd of customers locks out.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass

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
