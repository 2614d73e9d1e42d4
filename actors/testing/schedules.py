"""Schedule sweep: one concurrency test, run under many orders in which trio could run its tasks.

The one rule: trio's private names for this are used here and nowhere else.

The same seed does not always replay exactly (deadlines that tie, for instance), so sweep wide
rather than trust one seed.
"""
# ruff: noqa: SLF001 - trio's own tests seed its scheduler through the same names

from collections.abc import Awaitable, Callable
from functools import wraps
from importlib import import_module
from typing import Any, ParamSpec

import trio
import trio.testing

P = ParamSpec("P")

_run: Any = import_module("trio._core._run")


def schedules(count: int = 50) -> Callable[[Callable[P, Awaitable[None]]], Callable[P, None]]:
    """Run an async test under so many schedules, in virtual time; a failure notes its seed.

    The test becomes a plain function that runs trio itself, so it takes plain fixtures only.
    """

    def sweep(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
        @wraps(test)
        def swept(*args: P.args, **kwargs: P.kwargs) -> None:
            for seed in range(count):
                try:
                    run_seeded(seed, lambda: test(*args, **kwargs))
                except BaseException as error:
                    error.add_note(f"under schedule {seed} of {count}")
                    raise

        return swept

    return sweep


def run_seeded(seed: int, test: Callable[[], Awaitable[None]]) -> None:
    """Run trio once, with the order of its tasks drawn from a seed."""
    before = _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r.getstate()
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True
    _run._r.seed(seed)
    try:
        trio.run(test, clock=trio.testing.MockClock(autojump_threshold=0))
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = before[0]
        _run._r.setstate(before[1])
