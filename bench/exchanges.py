"""The process in which exchanges are measured, those of the toolkit and those of its peers.

Rule: the sides of a comparison are measured in short slices that take turns, in every order, so
that each figure has neighbours of the same moment: the machine's speed can change twofold in a run.

Code that runs on one thread and never sleeps is timed by processor time, which does not pass while
other programs have the core. Pykka's two threads wait for each other, so wall time is used there.
Run as `python -m bench.exchanges hand|pykka SLICES` or
`bare SLICES PROCESS`; prints `Rates`.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import cycle, islice, permutations
from time import perf_counter, process_time

import trio

from actors import Instrument, Message, Ref
from bench.bare import Counting, rewritten
from bench.by_hand import counting_by_hand
from bench.counter import Counter, Work, counting
from bench.on_a_thread import counting_on_a_thread

MANY = 100
COPIES = ("actor", "peer", "itself")
Rates = dict[str, dict[str, list[float]]]
"""By comparison, by side: exchanges per second, slice by slice."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison."""

    work: Work
    callers: int = 1
    clock: Callable[[], float] = process_time

    async def rate(self, times: int) -> float:
        """Return the exchanges per second of all callers at once."""
        each = max(1, times // self.callers)
        begin = self.clock()
        if self.callers == 1:
            await self.work(each)
        else:
            async with trio.open_nursery() as nursery:
                for _ in range(self.callers):
                    nursery.start_soon(self.work, each)
        return each * self.callers / (self.clock() - begin)


async def compare(groups: Mapping[str, Mapping[str, Side]], slices: int, seconds: float) -> Rates:
    """Measure all sides, in `slices` slices of about `seconds` each."""
    rates: Rates = {what: {name: [] for name in sides} for what, sides in groups.items()}
    times: dict[Side, int] = {}
    for sides in groups.values():
        for side in sides.values():
            await side.rate(1_000)  # the interpreter specialises code that runs often
            times[side] = int(await side.rate(1_000) * seconds)
    # So that no slice includes a garbage collection of all imported modules.
    gc.collect()
    gc.freeze()
    for what, sides in groups.items():
        for order in islice(cycle(permutations(sides)), slices):
            for name in order:
                rates[what][name].append(await sides[name].rate(times[sides[name]]))
    return rates


async def compare_by_hand(slices: int) -> Rates:
    """Measure the toolkit and the exchanges by hand."""
    async with counting() as ours, counting_by_hand() as hand, counting(Instrument()) as watched:
        ask, ask_many, ask_by_hand = Side(ours["ask"]), Side(ours["ask"], MANY), Side(hand["ask"])
        groups = {
            "ask": {"actor": ask, "peer": ask_by_hand},
            "many": {"actor": ask_many, "peer": Side(hand["ask"], MANY)},
            "drained": {"actor": ask_many, "peer": Side(hand["ask, drained"], MANY)},
            "async": {"actor": Side(ours["ask, async"]), "peer": Side(hand["ask, async"])},
            "deferred": {"actor": Side(ours["ask, deferred"]), "peer": ask_by_hand},
            "tell": {"actor": Side(ours["tell"]), "peer": Side(hand["tell"])},
            "watched": {"actor": Side(watched["ask"]), "peer": ask},
        }
        return await compare(groups, slices, 0.1)


async def compare_pykka(slices: int) -> Rates:
    """Measure the toolkit and Pykka: as the system runs its threads, on one core, on two."""
    async with counting() as ours:
        with (
            counting_on_a_thread() as free,
            counting_on_a_thread(1) as on_one,
            counting_on_a_thread(2) as on_two,
        ):
            work = {"actor": ours["ask"], "peer": free, "on one": on_one, "on two": on_two}
            sides = {name: Side(ask, clock=perf_counter) for name, ask in work.items()}
            return await compare({"pykka": sides}, slices, 0.2)


class Recorder(Instrument):
    """An instrument that records which of its methods were called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def enqueued(self, actor: Ref[Counter], message: Message[Counter, int]) -> None:  # noqa: ARG002
        """Record that a message is in the mailbox."""
        self.calls.append("enqueued")

    def started(self, actor: Ref[Counter], message: Message[Counter, int]) -> None:  # noqa: ARG002
        """Record that its handler runs."""
        self.calls.append("started")

    def finished(self, actor: Ref[Counter], message: Message[Counter, int]) -> None:  # noqa: ARG002
        """Record that its handler has ended."""
        self.calls.append("finished")


async def instrument_calls(counting: Counting) -> list[str]:
    """Return which methods of an instrument one ask calls."""
    recorder = Recorder()
    async with counting(recorder) as work:
        await work["ask"](1)
    return recorder.calls


async def compare_bare(slices: int, process: int) -> Rates:
    """Measure the toolkit with instruments switched off, without any, and against itself.

    The copy that is made first in a process is a percent slower or faster throughout, so the next
    process makes another one first.
    """
    first = process % len(COPIES)
    async with AsyncExitStack() as stack:
        work: dict[str, Mapping[str, Work]] = {}
        for name in COPIES[first:] + COPIES[:first]:
            is_bare = name == "peer"
            copy = stack.enter_context(rewritten(f"actors_{name}", bare=is_bare))
            if await instrument_calls(copy) != (
                [] if is_bare else ["enqueued", "started", "finished"]
            ):
                raise ValueError("the removed branches are not those that call instruments")
            work[name] = await stack.enter_async_context(copy())
        groups = {
            what: {name: Side(work[name]["ask"], callers) for name in COPIES}
            for what, callers in {"off": 1, "off, many": MANY}.items()
        }
        return await compare(groups, slices, 0.03)


if __name__ == "__main__":
    comparisons: dict[str, Callable[..., Awaitable[Rates]]] = {
        "hand": compare_by_hand,
        "pykka": compare_pykka,
        "bare": compare_bare,
    }
    print(json.dumps(trio.run(comparisons[sys.argv[1]], *map(int, sys.argv[2:]))))
