"""Sending: a task that finds due items, and a task for each attempt that is under way.

Rule: no decisions and no lasting state here: which items are due, and when, is in committed rows.
After a kill, attempts that were under way are repeated.

Each item has a lane, and each lane has a number of slots, so that items that fail or never get an
answer take no slot of another lane. Two items with the same key are never sent at the same time.
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
    """Wakes a task; a ring while the task is busy is kept for its next wait."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        """Wake the task, now or at its next wait."""
        self._rung.set()

    async def wait(self) -> None:
        """Return once it was rung since the last wait."""
        await self._rung.wait()
        self._rung = trio.Event()


class Due(NamedTuple, Generic[T]):
    """The items to attempt now, the longest due first, and the time of the next one."""

    now: list[T]
    next_at: float | None
    """None if none is scheduled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing(Generic[T, LaneT, AttemptT]):
    """One kind of items: how they are found, attempted and recorded."""

    lanes: Sequence[LaneT]
    most: int
    """The maximum of attempts under way in each lane."""
    due: Callable[[float, Collection[LaneT], int], Query[Due[T]]]
    """Returns the query for the items due at a time in some lanes, up to a number of each."""
    key: Callable[[T], str]
    lane: Callable[[T], LaneT]
    attempt: Callable[[T], Awaitable[AttemptT]]
    """Makes one attempt, and returns its outcome; never raises."""
    record: Callable[[tuple[AttemptT, ...]], Awaitable[None]]
    """Returns when the outcomes of attempts are committed; may be repeated."""


class Sending(Generic[T, LaneT, AttemptT]):
    """Sends due items, and records the outcomes."""

    def __init__(self, ledger: Ledger, bell: Bell, outgoing: Outgoing[T, LaneT, AttemptT]) -> None:
        """Send what `outgoing` finds; `bell` rings after each commit."""
        self._ledger = ledger
        self._bell = bell
        self._outgoing = outgoing
        self._under_way: dict[str, LaneT] = {}
        """The lane of each key that is sent now, or whose outcome is not committed."""
        self._attempted: dict[str, AttemptT] = {}
        """The outcomes to record, by key."""
        self._recorded: list[str] = []
        """Keys whose outcome is committed, but that are under way until the next query."""

    async def run(self) -> None:
        """Send; never returns."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._record(nursery)
                next_at = await self._start_due(nursery)
                with trio.move_on_after(max(0.0, next_at - self._ledger.now())):
                    await self._bell.wait()

    async def _start_due(self, nursery: trio.Nursery) -> float:
        """Start an attempt for each due item, while there are free slots.

        Returns the time at which the next one is due; inf if there is none.
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
        """Record all outcomes together; if that is refused, each alone."""
        attempted, self._attempted = self._attempted, {}
        if attempted:
            record = partial(self._outgoing.record, tuple(attempted.values()))
            try:
                await until_done(record, retry_refused=False)
                self._recorded += attempted
            except NotRecorded:
                for key, attempt in attempted.items():
                    nursery.start_soon(self._record_alone, key, attempt)
        # Only here, so that the next query is never older than the outcome.
        for key in self._recorded:
            del self._under_way[key]
        self._recorded.clear()

    async def _record_alone(self, key: str, attempt: AttemptT) -> None:
        await until_done(partial(self._outgoing.record, (attempt,)))
        self._recorded.append(key)
        self._bell.ring()
