"""The peer of the toolkit that others know: Pykka's actor, which has a thread of its own.

Rule: it is asked from trio's thread, which waits meanwhile, so nothing else of ours runs while it
is measured; while others are measured its thread sleeps.

Pykka has two speeds. Where the system runs both threads on one core an ask costs two switches; on
two cores each has to wake the other core first, which takes three times as long. The system decides
that anew every now and then; to bind both to one core is what favours Pykka most.
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
    """An actor that does next to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def on_receive(self, message: Add) -> int:
        """Answer with the total."""
        self.total += message.by
        return self.total


@contextmanager
def one_core() -> Generator[None]:
    """Run this thread, and those that it starts, on one core for as long as the block lasts."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def counting_on_a_thread(*, on_one_core: bool = False) -> Generator[Work]:
    """Run Pykka's actor; give what asks it, one time after the other."""
    place = one_core if on_one_core else nullcontext
    with place():
        counter = Counter.start()

    async def ask(times: int) -> None:
        with place():
            for _ in range(times):
                counter.ask(Add())

    try:
        yield ask
    finally:
        counter.stop()
