"""Time-outs of connections that wait for their clients: one task for all of a server's deadlines.

Rule: a wait that ends in time, as nearly every wait does, costs two operations on a dictionary. A
deadline of trio's own costs ten times that: each change of it goes through a heap.

There is a queue for each time-out, a handful. A wait that begins later in one of them is due later,
so only the first of each has to be checked.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from math import inf
from typing import NoReturn, Protocol

import trio


class Waiter(Protocol):
    """An object with a wait that can be timed out."""

    def time_out(self) -> None:
        """End the wait; called once, at the deadline, by the task that watches all of them."""


class Deadlines:
    """Ends waits that take too long, while `run` runs."""

    def __init__(self) -> None:
        self._queues: dict[float, dict[Waiter, float]] = {}
        """By time-out in seconds: the waiters and when each is due, the first due first."""
        self._wakes_at = inf
        self._sooner = trio.Event()

    def begin(self, waiter: Waiter, seconds: float) -> None:
        """Time this wait out after `seconds`; a waiter has one wait at a time."""
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = {}
        due = queue[waiter] = trio.current_time() + seconds
        if due < self._wakes_at:
            self._wakes_at = due
            self._sooner.set()

    def end(self, waiter: Waiter, seconds: float) -> None:
        """Forget a wait that began with `seconds`; it may have timed out already."""
        self._queues[seconds].pop(waiter, None)

    async def run(self) -> NoReturn:
        """Time out the waits that are due, until cancelled.

        What arrives while the process stalls past a deadline has arrived in time: a wait may end in
        the same pass of trio's loop as the deadline, so the deadlines have their turn a pass later.
        """
        while True:
            await trio.lowlevel.checkpoint()
            self._sooner = trio.Event()
            self._wakes_at = min(map(self._time_out, self._queues.values()), default=inf)
            with trio.move_on_at(self._wakes_at):
                await self._sooner.wait()

    @staticmethod
    def _time_out(queue: dict[Waiter, float]) -> float:
        """Time out the waiters that are due, and return when the next one is."""
        now = trio.current_time()
        while queue:
            waiter, due = next(iter(queue.items()))
            if now < due:
                return due
            del queue[waiter]
            waiter.time_out()
        return inf


@asynccontextmanager
async def watching_deadlines() -> AsyncGenerator[Deadlines]:
    """Yield `Deadlines` whose task runs during the block."""
    deadlines = Deadlines()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deadlines.run)
        yield deadlines
        nursery.cancel_scope.cancel()
