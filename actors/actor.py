"""Actor, the base class of the user's actors, and its timers.

The one rule: a timer's callback runs as a turn of its instance or not at all. An instance that has
crashed or stopped has no timers any more.

The timers of an instance are one heap and, once there is a timer, one waiting task. Thousands may
be pending, one for every held request, and nearly all are cancelled: so cancelling only marks, and
the heap is swept when most of it is marked.
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
    """An owner of state, touched by one turn at a time. Made by a factory, reached by its `Ref`.

    A crashed instance is replaced by a new one from the factory; so keep in it only what the
    constructor and `on_start` can rebuild.
    """

    # Dunder names, so that no subclass takes them by accident.
    __actor_handlers__: ClassVar[Handlers]
    __actor_timers__: "Timers | None" = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__actor_handlers__ = Handlers(cls)

    def on_start(self) -> None:
        """Run as the instance's first turn; what it raises, `System.start` raises."""

    def on_stop(self) -> None:
        """Run as the instance's last turn, on an orderly stop; not after a crash."""

    def after(self, seconds: float, callback: Callable[[], None]) -> "Timer":
        """Run the callback as a turn of this actor, once, in so many seconds."""
        return self.__started_timers().after(seconds, callback)

    def every(self, seconds: float, callback: Callable[[], None]) -> "Timer":
        """Run the callback as a turn every so many seconds; ticks that come too late are merged."""
        return self.__started_timers().every(seconds, callback)

    def __started_timers(self) -> "Timers":
        if self.__actor_timers__ is None:
            name = type(self).__name__
            raise ActorError(f"{name} sets a timer before it is started; do it in on_start")
        return self.__actor_timers__


class Timer(ABC):
    """A callback that will run once, or again and again."""

    __slots__ = ()

    @abstractmethod
    def cancel(self) -> None:
        """Make sure that the callback does not run again. Repeated, or too late, is no error."""


class PendingTimer(Timer):
    """A timer as `Timers` sees it."""

    __slots__ = ("_timers", "callback", "interval")

    def __init__(self, timers: "Timers", callback: Callable[[], None], interval: float) -> None:
        self._timers = timers
        # None: cancelled, or run.
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
        # Of the waiting task, and of its present sleep.
        self._scope: trio.CancelScope | None = None
        self._sleep: trio.CancelScope | None = None

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Set a timer for once."""
        if not seconds >= 0:
            raise ValueError(f"a timer cannot be set for {seconds!r} seconds")
        return self._set(seconds, PendingTimer(self, callback, math.inf))

    def every(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Set a timer for every so many seconds."""
        if not 0 < seconds < math.inf:
            raise ValueError(f"a timer cannot be set for every {seconds!r} seconds")
        return self._set(seconds, PendingTimer(self, callback, seconds))

    def close(self) -> None:
        """Drop every timer, for good."""
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
        """Run what is due, at most a budget of it; tell whether there is more."""
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
        """Run what has become due while the actor was busy, between two messages.

        Not what that sets in turn: a timer that always sets another must not be all that runs.
        """
        if self._scope is None:
            # No timer was ever set.
            return
        until = trio.current_time(), next(self._order)
        while self._run_due(until):
            await trio.lowlevel.checkpoint()
        self._set_alarm()

    def _set_alarm(self) -> None:
        """Let the waiting task sleep until the first timer is due, or for good if busy."""
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
    """Return the first tick after now on the grid that `when` is on."""
    tick = when + interval * (math.floor((now - when) / interval) + 1)
    # The division may have been rounded down across a whole number.
    return tick if tick > now else tick + interval
