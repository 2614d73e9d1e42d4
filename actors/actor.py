"""Actor, the base class of the user's actors, and its timers.

The one rule: a timer's callback runs as a turn of its instance or not at all. An instance that has
crashed or stopped has no timers.

The timers of an instance are one heap and one task, which starts with the first timer and sleeps
until the next is due. Thousands may be pending, one for every held request, and nearly all are
cancelled. So cancelling only marks a timer, and the heap is swept when most of it is marked.
"""

import heapq
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, ClassVar

import trio

from actors.errors import ActorError
from actors.message import Handlers
from actors.user_code import interruptible

SWEEP_FROM = 64
TURNS_PER_CHECKPOINT = 64


class Actor:
    """The base class of actors: it owns state that only one turn at a time touches.

    A factory makes the instances, and messages reach them through a `Ref`. A crashed instance is
    replaced by a new one, so keep in it only what the constructor and `on_start` can rebuild.
    """

    # Dunder names, so that no subclass takes them by accident.
    __actor_handlers__: ClassVar[Handlers]
    __actor_timers__: "Timers | None" = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__actor_handlers__ = Handlers(cls)

    def on_start(self) -> None:
        """Run as the instance's first turn; `System.start` raises what this raises."""

    def on_stop(self) -> None:
        """Run as the instance's last turn when the actor stops; not after a crash."""

    def after(self, seconds: float, callback: Callable[[], None]) -> "Timer":
        """Run the callback once, as a turn of this actor, after this many seconds."""
        return self.__started_timers().after(seconds, callback)

    def every(self, seconds: float, callback: Callable[[], None]) -> "Timer":
        """Run the callback as a turn at this interval, in seconds; late ticks are merged."""
        return self.__started_timers().every(seconds, callback)

    def __started_timers(self) -> "Timers":
        if self.__actor_timers__ is None:
            name = type(self).__name__
            raise ActorError(f"{name} sets a timer before it is started; do it in on_start")
        return self.__actor_timers__


class Timer(ABC):
    """A callback that is set to run once or repeatedly."""

    __slots__ = ()

    @abstractmethod
    def cancel(self) -> None:
        """Make sure that the callback does not run again; no error if it would not have."""


class PendingTimer(Timer):
    """A timer as `Timers` sees it."""

    __slots__ = ("_timers", "callback", "interval")

    def __init__(self, timers: "Timers", callback: Callable[[], None], interval: float) -> None:
        self._timers = timers
        # None once it is cancelled or has run.
        self.callback: Callable[[], None] | None = callback
        self.interval = interval

    def cancel(self) -> None:  # noqa: D102 - as above
        if self.callback is not None:
            self.callback = None
            self._timers.count_cancelled()


class Timers:
    """The timers of one instance."""

    def __init__(
        self,
        nursery: trio.Nursery,
        run_turn: Callable[[Callable[[], None]], None],
        is_busy: Callable[[], bool],
    ) -> None:
        self.nursery = nursery
        self._run_turn = run_turn
        self._is_busy = is_busy
        self._heap: list[tuple[float, int, PendingTimer]] = []
        self._order = count()
        self._cancelled = 0
        self._closed = False
        # The scopes of the sleeping task and of its current sleep.
        self._scope: trio.CancelScope | None = None
        self._sleep: trio.CancelScope | None = None

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Set a timer that runs once; raise ValueError if the time is negative or NaN."""
        if not seconds >= 0:
            raise ValueError(f"a timer cannot be set for {seconds!r} seconds")
        return self._set(seconds, PendingTimer(self, callback, math.inf))

    def every(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Set a repeating timer; raise ValueError unless the interval is positive and finite."""
        if not 0 < seconds < math.inf:
            raise ValueError(f"a timer cannot be set for every {seconds!r} seconds")
        return self._set(seconds, PendingTimer(self, callback, seconds))

    def close(self) -> None:
        """Drop every timer; setting another raises ActorError."""
        self._closed = True
        self._heap.clear()
        if self._scope is not None:
            self._scope.cancel()

    def count_cancelled(self) -> None:
        """Count a cancelled timer, and sweep the heap when most of it is cancelled."""
        self._cancelled += 1
        if self._cancelled > SWEEP_FROM and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _run_due(self, until: tuple[float, float]) -> bool:
        """Run the timers that are due, up to a budget; return whether there may be more."""
        now = trio.current_time()
        for _ in range(TURNS_PER_CHECKPOINT):
            if not self._heap or self._heap[0][:2] > until:
                return False
            when, _, timer = heapq.heappop(self._heap)
            callback = timer.callback
            if callback is None:
                self._cancelled -= 1
                continue
            if timer.interval < math.inf:
                self._push(next_tick(when, timer.interval, now), timer)
            else:
                timer.callback = None
            self._run_turn(partial(interruptible, callback))
        return True

    async def catch_up(self) -> None:
        """Run the timers that became due while the actor was busy, between two messages.

        Timers that these set run later: else one that always sets another would block the actor.
        """
        if self._scope is None:
            # No timer was ever set.
            return
        until = trio.current_time(), next(self._order)
        while self._run_due(until):
            await trio.lowlevel.checkpoint()
        self._set_alarm()

    def _set_alarm(self) -> None:
        """Let the sleeping task wake when the first timer is due, or not at all if busy."""
        if self._sleep is not None:
            sleeps_on = not self._heap or self._is_busy()
            self._sleep.deadline = math.inf if sleeps_on else self._heap[0][0]

    def _set(self, seconds: float, timer: PendingTimer) -> Timer:
        if self._closed:
            raise ActorError("a timer is set by an instance that has crashed or stopped")
        self._push(trio.current_time() + seconds, timer)
        if self._scope is None:
            self._scope = trio.CancelScope(shield=True)
            self.nursery.start_soon(self._run, self._scope)
        elif self._heap[0][2] is timer:
            self._set_alarm()
        return timer

    def _push(self, when: float, timer: PendingTimer) -> None:
        heapq.heappush(self._heap, (when, next(self._order), timer))

    @trio.lowlevel.enable_ki_protection
    async def _run(self, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                with trio.CancelScope() as self._sleep:
                    self._set_alarm()
                    await trio.sleep_forever()
                self._sleep = None
                # A busy actor runs what is due itself, between two messages.
                while not self._is_busy() and self._run_due((trio.current_time(), math.inf)):
                    await trio.lowlevel.checkpoint()


def next_tick(when: float, interval: float, now: float) -> float:
    """Return the first time after now that is a whole number of intervals after `when`."""
    tick = when + interval * (math.floor((now - when) / interval) + 1)
    # The division may have been rounded down across a whole number.
    return tick if tick > now else tick + interval
