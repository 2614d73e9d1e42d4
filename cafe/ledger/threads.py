"""Where calls into the database run: each connection has one thread, but for one in memory.

Rule: the event loop never waits for a disk or a server, and neither does its end. A call that is
abandoned finishes alone in its thread, so after that nothing more is run here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

T = TypeVar("T")


class Runner(Protocol):
    """Runs calls that block, one after the other."""

    async def run(self, call: Callable[[], T]) -> T:
        """Run the call, and give what it gives."""
        ...


class InThread:
    """Runs calls in a thread, one at a time."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)

    async def run(self, call: Callable[[], T]) -> T:
        """Run the call, and give what it gives; on cancellation the thread is left to itself."""
        return await trio.to_thread.run_sync(call, limiter=self._limiter, abandon_on_cancel=True)


class InLoop:
    """Runs calls at once, for a database in memory: a thread would cost more than the call."""

    async def run(self, call: Callable[[], T]) -> T:
        """Run the call, and give what it gives."""
        return call()
