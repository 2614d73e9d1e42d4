"""Sending: a task that finds what is due, and a task for each attempt that is under way.

Rule: nothing is decided here, and nothing has to be remembered: what is due, and when, is in
committed rows. After a kill it begins where it was; what was under way then is sent again.

What is due has a lane, and each lane has so many slots. So what fails, or never answers, takes no
slot of another lane. What has the same key is never sent twice at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Generic, NamedTuple, TypeVar

import trio

from cafe.ledger.errors import NotRecorded
from cafe.ledger.ledger import Ledger
from cafe.ledger.reader import Query
from cafe.ledger.retries import until_done

T = TypeVar("T")
LaneT = TypeVar("LaneT", bound=Hashable)
AttemptT = TypeVar("AttemptT")


class Bell:
    """Wakes a task, and is not forgotten while that is busy."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        """Wake it, now or when it waits next."""
        self._rung.set()

    async def wait(self) -> None:
        """Return when it was rung since the last wait."""
        await self._rung.wait()
        self._rung = trio.Event()


class Due(NamedTuple, Generic[T]):
    """What is to be attempted now, the longest due first, and when the next will be."""

    now: list[T]
    next_at: float | None
    """None where none is scheduled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing(Generic[T, LaneT, AttemptT]):
    """What is sent: how it is found, attempted and recorded."""

    lanes: Sequence[LaneT]
    most: int
    """Attempts under way in each lane."""
    due: Callable[[float, Collection[LaneT], int], Query[Due[T]]]
    """Returns the query of what is due at a time in some lanes, so many of each."""
    key: Callable[[T], str]
    lane: Callable[[T], LaneT]
    attempt: Callable[[T], Awaitable[AttemptT]]
    """Makes one attempt, and returns what came of it; never raises."""
    record: Callable[[tuple[AttemptT, ...]], Awaitable[None]]
    """Returns when attempts are committed; may be repeated."""


class Sending(Generic[T, LaneT, AttemptT]):
    """Sends what is due, and has recorded what came of it."""

    def __init__(self, ledger: Ledger, bell: Bell, outgoing: Outgoing[T, LaneT, AttemptT]) -> None:
        """Send what `outgoing` finds; `bell` rings after each commit."""
        self._ledger = ledger
        self._bell = bell
        self._outgoing = outgoing
        self._under_way: dict[str, LaneT] = {}
        """The lane of each key that is sent now, or whose outcome is not committed."""
        self._attempted: dict[str, AttemptT] = {}
        """By key, what is to be recorded."""
        self._recorded: list[str] = []
        """Committed, and still among those under way until the next look at what is due."""

    async def run(self) -> None:
        """Send; never returns."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._record(nursery)
                next_at = await self._start_due(nursery)
                with trio.move_on_after(max(0.0, next_at - self._ledger.now())):
                    await self._bell.wait()

    async def _start_due(self, nursery: trio.Nursery) -> float:
        """Start an attempt for each that is due, while there are free slots.

        Returns when the next one is due, and inf if that is not known or no slot is free.
        """
        outgoing, taken = self._outgoing, Counter(self._under_way.values())
        lanes = [lane for lane in outgoing.lanes if taken[lane] < outgoing.most]
        query = outgoing.due(self._ledger.now(), lanes, outgoing.most)
        due = await until_done(partial(self._ledger.read, query))
        for one in due.now:
            key, lane = outgoing.key(one), outgoing.lane(one)
            if key not in self._under_way and taken[lane] < outgoing.most:
                taken[lane] += 1
                self._under_way[key] = lane
                nursery.start_soon(self._attempt, key, one)
        return inf if due.next_at is None else due.next_at

    async def _attempt(self, key: str, one: T) -> None:
        self._attempted[key] = await self._outgoing.attempt(one)
        self._bell.ring()

    async def _record(self, nursery: trio.Nursery) -> None:
        """Have all outcomes recorded that there are; where that is refused, each alone."""
        attempted, self._attempted = self._attempted, {}
        if attempted:
            record = partial(self._outgoing.record, tuple(attempted.values()))
            try:
                await until_done(record, retry_refused=False)
                self._recorded += attempted
            except NotRecorded:
                for key, attempt in attempted.items():
                    nursery.start_soon(self._record_alone, key, attempt)
        # Here only, so that what is read next is never older than the outcome.
        for key in self._recorded:
            del self._under_way[key]
        self._recorded.clear()

    async def _record_alone(self, key: str, attempt: AttemptT) -> None:
        await until_done(partial(self._outgoing.record, (attempt,)))
        self._recorded.append(key)
        self._bell.ring()
