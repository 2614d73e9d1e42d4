"""The toolkit's best-known peer: Pykka's actor, which has a thread of its own.

Rule: trio's thread asks it and blocks meanwhile, so nothing else of ours runs while it is measured;
while others are measured, its thread sleeps.

Pykka has two speeds. If the system runs both threads on one core, an ask costs two switches; on two
cores each has to wake the other core first, which takes three times as long. The scheduler changes
its choice now and then. So Pykka is measured unpinned, and pinned to one and to two cores.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import pykka

from bench.counter import Work


@dataclass(frozen=True, slots=True)
class Add:
    """Count one more."""

    by: int = 1


class Counter(pykka.ThreadingActor):
    """An actor that does almost nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def on_receive(self, message: Add) -> int:
        """Answer with the total."""
        self.total += message.by
        return self.total


@contextmanager
def on_core(core: int) -> Generator[None]:
    """Run this thread, and those that it starts, on one core during the block.

    Cores count from 0, among those that the process may use; the last one stands for any beyond.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[min(core, len(cores) - 1)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def counting_on_a_thread(cores: int | None = None) -> Generator[Work]:
    """Run Pykka's actor; yield a function that asks it a given number of times in a row.

    With a number of cores, 1 or 2, its thread and the caller's are pinned to them; with None the
    scheduler decides.
    """
    with nullcontext() if cores is None else on_core(cores - 1):
        counter = Counter.start()

    async def ask(times: int) -> None:
        with nullcontext() if cores is None else on_core(0):
            for _ in range(times):
                counter.ask(Add())

    try:
        yield ask
    finally:
        counter.stop()
