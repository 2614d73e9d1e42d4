"""A Dispatcher that crashes on request, wherever the request finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from actors import Message, Timer
from cafe.orders.dispatcher import Dispatcher


class BugError(Exception):
    """A crash on request."""


@dataclass(frozen=True, slots=True)
class CrashDispatcher(Message["FragileDispatcher", None]):
    """Crash the Dispatcher."""


@dataclass(frozen=True, slots=True)
class CountTimers(Message["FragileDispatcher", int]):
    """Count the timers that were set since the last start."""


class FragileDispatcher(Dispatcher):
    """Crashes on request, and counts its timers."""

    timers = 0

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        self.timers += 1
        return super().after(seconds, callback)

    @CountTimers.handler
    def count_timers(self, _message: CountTimers) -> int:
        return self.timers

    @CrashDispatcher.handler
    def crash(self, _message: CrashDispatcher) -> None:
        raise BugError
