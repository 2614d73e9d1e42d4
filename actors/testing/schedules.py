"""Schedules: one order, out of many, in which trio could run its tasks, drawn from a seed.

The one rule: trio's private names for this are used here and nowhere else, and only while a sweep
runs. pytest imports this module in every project that has the package: should trio move the names,
that must hurt swept tests alone.
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

    A test that is marked `schedules` needs no call of this. It is for a test that has a loop of
    its own, one of hypothesis for instance:

        @given(st.integers(0, 999), st.lists(st.integers()))
        def test_any_sum(seed: int, numbers: list[int]) -> None:
            async def adds_up() -> None: ...

            run_seeded(seed, adds_up)

    Returns or raises what the function does, and leaves trio's scheduler as it was before. Time is
    that of `clock`: seconds which pass at once, as soon as all tasks wait, unless another is given.

    The same seed gives the same order, but for what trio does not order: deadlines at the very same
    time. So sweep wide rather than trust one seed.
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
