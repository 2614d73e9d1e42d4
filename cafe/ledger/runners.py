"""Runs the store's calls: in a thread, or in the event loop.

Rule: one call after the other, since a connection serves one at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

T = TypeVar("T")


class Runner(Protocol):
    """Runs blocking calls, one after the other."""

    async def run(self, call: Callable[[], T]) -> T:
        """Return what the call returns."""
        ...


class InThread:
    """Runs calls in a thread, one at a time."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)

    async def run(self, call: Callable[[], T]) -> T:
        """Return what the call returns; on cancellation the thread is abandoned."""
        return await trio.to_thread.run_sync(call, limiter=self._limiter, abandon_on_cancel=True)


class InLoop:
    """Runs calls in the event loop, for a database in memory: a thread would cost more."""

    async def run(self, call: Callable[[], T]) -> T:
        """Return what the call returns."""
        return call()
