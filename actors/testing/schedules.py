"""Schedules: an order in which trio could run its tasks, drawn from a seed.

The one rule: trio's private names for this are used here and nowhere else, and only while a sweep
runs. pytest imports this module in every project that has the package: if trio moves the names,
only swept tests may fail.
"""
# ruff: noqa: SLF001 - trio's own tests seed its scheduler through the same names

from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any, TypeVar

import trio
import trio.testing

R = TypeVar("R")


def run_seeded(
    seed: int,
    test: Callable[[], Awaitable[R]],
    *,
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> R:
    """Run an async function by `trio.run`, in virtual time, with the order of tasks from a seed.

    A test that is marked `schedules` does not need this. It is for a test that runs its function in
    a loop of its own, for instance with hypothesis:

        @given(st.integers(0, 999), st.lists(st.integers()))
        def test_any_sum(seed: int, numbers: list[int]) -> None:
            async def adds_up() -> None: ...

            run_seeded(seed, adds_up)

    Returns or raises what the function does, and leaves trio's scheduler as it was before. Without
    a `clock`, time is virtual: it jumps to the next deadline as soon as all tasks wait.

    The same seed gives the same order, except of deadlines at the very same time, which trio does
    not order. So sweep many seeds rather than trust one.
    """
    run: Any = import_module("trio._core._run")
    before = run._ALLOW_DETERMINISTIC_SCHEDULING, run._r.getstate()
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    run._r.seed(seed)
    try:
        return trio.run(
            test,
            clock=clock or trio.testing.MockClock(autojump_threshold=0),
            instruments=instruments,
        )
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING = before[0]
        run._r.setstate(before[1])
