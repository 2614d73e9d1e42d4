"""Timers of one instance: one heap and, once there is a timer, one waiting task.

The one rule: a callback runs as a turn of its actor or not at all. An instance that has crashed or
stopped takes its timers along.

Thousands may be pending, one for every held request, and nearly all are cancelled: so cancelling
only marks, and the heap is swept when most of it is marked.
"""

import heapq
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from itertools import count

import trio

from actors.errors import ActorError
from actors.interrupts import interruptible

SWEEP_FROM = 64
TURNS_PER_CHECKPOINT = 64


class Timer(ABC):
    """One callback to come, or to come again and again."""

    __slots__ = ()

    @abstractmethod
    def cancel(self) -> None:
        """Make sure that the callback runs no more. Again, or too late, is no error."""


class Pending(Timer):
    """A timer as `Timers` sees it."""

    __slots__ = ("_timers", "callback", "interval")

    def __init__(self, timers: "Timers", callback: Callable[[], None], interval: float) -> None:
        self._timers = timers
        # None: cancelled, or rung.
        self.callback: Callable[[], None] | None = callback
        self.interval = interval

    def cancel(self) -> None:  # noqa: D102 - as above
        if self.callback is not None:
            self.callback = None
            self._timers.cancelled()


class Timers:
    """The timers of one instance."""

    def __init__(
        self,
        nursery: trio.Nursery,
        turn: Callable[[Callable[[], None]], None],
        busy: Callable[[], bool],
    ) -> None:
        self.nursery = nursery
        self._turn = turn
        self._busy = busy
        self._heap: list[tuple[float, int, Pending]] = []
        self._order = count()
        self._marked = 0
        self._closed = False
        self._scope: trio.CancelScope | None = None
        self._alarm: trio.CancelScope | None = None

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Set a timer for once."""
        if not seconds >= 0:
            raise ValueError(f"a timer cannot be set for {seconds!r} seconds")
        return self._set(seconds, Pending(self, callback, math.inf))

    def every(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Set a timer for every so many seconds."""
        if not 0 < seconds < math.inf:
            raise ValueError(f"a timer cannot be set for every {seconds!r} seconds")
        return self._set(seconds, Pending(self, callback, seconds))

    def close(self) -> None:
        """Drop every timer, for good."""
        self._closed = True
        self._heap.clear()
        if self._scope is not None:
            self._scope.cancel()

    def cancelled(self) -> None:
        """Count a cancelled timer, and sweep the heap when most of it is cancelled."""
        self._marked += 1
        if self._marked > SWEEP_FROM and self._marked * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._marked = 0

    def _fire(self, until: tuple[float, float]) -> bool:
        """Run what is due, at most a budget of it; tell whether there is more."""
        now = trio.current_time()
        for _ in range(TURNS_PER_CHECKPOINT):
            if not self._heap or self._heap[0][:2] > until:
                return False
            when, _, timer = heapq.heappop(self._heap)
            callback = timer.callback
            if callback is None:
                self._marked -= 1
                continue
            if timer.interval < math.inf:
                self._push(next_tick(when, timer.interval, now), timer)
            else:
                timer.callback = None
            self._turn(partial(interruptible, callback))
        return True

    async def catch_up(self) -> None:
        """Run what has become due while the actor was busy, between two messages.

        Not what that sets in turn: a timer that always sets another must not be all that runs.
        """
        until = trio.current_time(), next(self._order)
        while self._fire(until):
            await trio.lowlevel.checkpoint()
        self._rearm()

    def _rearm(self) -> None:
        """Let the waiting task sleep until the first timer is due, or for good if busy."""
        if self._alarm is not None:
            sleeps = not self._heap or self._busy()
            self._alarm.deadline = math.inf if sleeps else self._heap[0][0]

    def _set(self, seconds: float, timer: Pending) -> Timer:
        if self._closed:
            raise ActorError("an actor that is gone sets a timer")
        self._push(trio.current_time() + seconds, timer)
        if self._scope is None:
            self._scope = trio.CancelScope(shield=True)
            self.nursery.start_soon(self._run, self._scope)
        elif self._heap[0][2] is timer:
            self._rearm()
        return timer

    def _push(self, when: float, timer: Pending) -> None:
        heapq.heappush(self._heap, (when, next(self._order), timer))

    @trio.lowlevel.enable_ki_protection
    async def _run(self, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                with trio.CancelScope() as self._alarm:
                    self._rearm()
                    await trio.sleep_forever()
                self._alarm = None
                # A busy actor fires what is due itself, between two messages.
                while not self._busy() and self._fire((trio.current_time(), math.inf)):
                    await trio.lowlevel.checkpoint()


def next_tick(when: float, interval: float, now: float) -> float:
    """Return the first tick after now on the grid that `when` is on."""
    tick = when + interval * (math.floor((now - when) / interval) + 1)
    # The division may have been rounded down across a whole number.
    return tick if tick > now else tick + interval
