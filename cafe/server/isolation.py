"""Containing a failure: what fails on one connection stays there, and is told, but not too often.

Rule: only an Exception is contained. Cancellation, KeyboardInterrupt and the like go on, also when
they come in one group with exceptions.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import cast

import trio


class Contained:
    """Ends an Exception with its block, after telling of it; lets everything else through.

    A class, not a generator: each waiting customer holds one.
    """

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[BaseException], None]) -> None:
        self._tell = tell

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(
        self, _kind: object, error: BaseException | None, _traceback: TracebackType | None
    ) -> bool:
        """Tell of an Exception, and end it."""
        if isinstance(error, Exception):
            self._tell(error)
            return True
        if not isinstance(error, BaseExceptionGroup):
            return False
        failures, others = cast("BaseExceptionGroup[BaseException]", error).split(Exception)
        if failures is not None:
            self._tell(failures)
        raise (others or error) from None


class Throttle:
    """Lets `burst` lines of log through in each period of `seconds`, and counts the others."""

    def __init__(
        self, burst: int = 10, seconds: float = 10.0, now: Callable[[], float] = trio.current_time
    ) -> None:
        self._burst = burst
        self._seconds = seconds
        self._now = now
        self._ends = 0.0
        self._passed = 0
        self._held_back = 0

    def passes(self) -> bool:
        """Tell whether to write this line."""
        now = self._now()
        if now >= self._ends:
            self._ends, self._passed = now + self._seconds, 0
        if self._passed == self._burst:
            self._held_back += 1
            return False
        self._passed += 1
        return True

    def take_held_back(self) -> int:
        """Give how many lines were held back since last asked."""
        held_back, self._held_back = self._held_back, 0
        return held_back
