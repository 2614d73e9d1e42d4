"""The delivery: a task that finds what is due, and a task for each attempt that is under way.

Rule: nothing is decided here, and nothing has to be remembered: what is due, and when, is in
committed rows. After a kill it begins where it was; what was under way then is sent again, under
the same id.

Each receiver has two lanes with MOST_AT_ONCE slots each: one for first attempts, one for repeated
ones. So what fails, or never answers, takes no slot from what is new, nor from another receiver,
and a slow answer holds one slot for at most fifteen seconds. Of a subject only one notification is
due at a time, so none has two slots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from math import inf
from typing import Final

import trio

from actors import Ref
from cafe.ledger.errors import NotRecorded
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import until_done
from cafe.notifications.messages import Record
from cafe.notifications.notification import Attempt, Notification, State, Topic
from cafe.notifications.notifier import Notifier
from cafe.notifications.queries import Lane, read_due

MOST_AT_ONCE: Final = 100
"""Attempts under way in each lane: connections to a receiver, of which there may be twice as
many."""
SENT: Final = (State.DUE, State.RETRYING)
"""The states in which a notification is attempted."""

Send = Callable[[Notification], Awaitable[str]]
"""Makes one attempt, and returns its outcome; never raises."""


class Bell:
    """Wakes the delivery, and is not forgotten while that is busy."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        """Wake it, now or when it waits next."""
        self._rung.set()

    async def wait(self) -> None:
        """Return when it was rung since the last wait."""
        await self._rung.wait()
        self._rung = trio.Event()


class Delivery:
    """Sends what is due, and tells the Notifier what came of it."""

    def __init__(
        self,
        notifier: Ref[Notifier],
        ledger: Ledger,
        bell: Bell,
        senders: Mapping[Topic, Send],
        most: int = MOST_AT_ONCE,
    ) -> None:
        """Send what is of the topics in `senders`; `bell` rings after each commit.

        There are at most `most` attempts at once in each lane.
        """
        self._notifier = notifier
        self._ledger = ledger
        self._bell = bell
        self._senders = senders
        self._lanes = [Lane(topic, state) for topic in senders for state in SENT]
        self._most = most
        self._under_way: dict[str, Lane] = {}
        """The lane of each notification that is sent now, or whose outcome is not committed."""
        self._attempted: list[Attempt] = []
        self._recorded: list[Attempt] = []
        """Committed, and still among those under way until the next look at what is due."""

    async def run(self) -> None:
        """Deliver; never returns."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._record(nursery)
                next_at = await self._start_due(nursery)
                with trio.move_on_after(max(0.0, next_at - self._ledger.now())):
                    await self._bell.wait()

    async def _start_due(self, nursery: trio.Nursery) -> float:
        """Start an attempt for each notification that is due, while there are free slots.

        Returns when the next one is due, and inf if that is not known or no slot is free.
        """
        taken = Counter(self._under_way.values())
        free = [lane for lane in self._lanes if taken[lane] < self._most]
        now = self._ledger.now()
        query = partial(read_due, now=now, free=free, every=self._lanes, most=self._most)
        due = await until_done(partial(self._ledger.read, query))
        for one in due.now:
            lane = Lane(one.topic, one.state)
            if one.event_id not in self._under_way and taken[lane] < self._most:
                taken[lane] += 1
                self._under_way[one.event_id] = lane
                nursery.start_soon(self._attempt, one)
        return inf if due.next_at is None else due.next_at

    async def _attempt(self, one: Notification) -> None:
        at, began = self._ledger.now(), trio.current_time()
        outcome = await self._senders[one.topic](one)
        seconds = trio.current_time() - began
        self._attempted.append(Attempt(one.event_id, one.attempts + 1, at, outcome, seconds))
        self._bell.ring()

    async def _record(self, nursery: trio.Nursery) -> None:
        """Have all outcomes recorded that there are; where that is refused, each alone."""
        attempts, self._attempted = tuple(self._attempted), []
        if attempts:
            record = partial(self._notifier.ask, Record(attempts))
            try:
                await until_done(record, retry_refused=False)
                self._recorded += attempts
            except NotRecorded:
                for one in attempts:
                    nursery.start_soon(self._record_alone, one)
        # Here only, so that what is read next is never older than the outcome.
        for one in self._recorded:
            del self._under_way[one.event_id]
        self._recorded.clear()

    async def _record_alone(self, attempt: Attempt) -> None:
        await until_done(partial(self._notifier.ask, Record((attempt,))))
        self._recorded.append(attempt)
        self._bell.ring()
