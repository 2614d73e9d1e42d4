"""The shop's clock: calendar time that never jumps.

Rule: nothing in the shop asks the operating system for the time. Leases and waits are differences,
which a corrected system clock must not bend; and under trio's virtual time it is virtual too.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import trio


def start_clock() -> Callable[[], float]:
    """Give a function that tells seconds since the Unix epoch, at trio's own pace from now on."""
    offset = time.time() - trio.current_time()
    return lambda: offset + trio.current_time()
