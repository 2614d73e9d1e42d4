"""The log of events: how it is followed, what the ledger itself writes to it, how it is pruned.

Rule: commits never wait for a follower, and a follower never misses an event. Recent events are in
memory; a follower that is further behind reads pages from the database, and one that is up to date
waits for the next commit. Pruning keeps what a follower has not followed yet, however old it is.

Positions define the sequence of events; times are only when they happened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from itertools import islice
from typing import Any

import trio
from sqlalchemy import (
    Connection,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from cafe.ledger.department import Department, Entry, Event, Logged
from cafe.ledger.parts import in_parts
from cafe.ledger.tables import events, prunings

MOST_AHEAD = 300.0
"""The seconds by which the last event may be ahead of the clock; above it its time is ignored."""


def _load_nothing(_connection: Connection) -> None:
    return None


OWN = Department(
    "ledger",
    tables=(),
    load=_load_nothing,
    transitions={(None, "set right"): "right"},
    remembers=False,
)


def clock_set_right(position: int, at: float) -> Entry:
    """Return an event that ends a time in the future, up to a position: times go on from `at`."""
    return Entry(Event(f"clock {position}", "set right", None, "right", at))


def was_set_right_behind(position: Any) -> Any:
    """Return an SQL condition: the clock was corrected after a position."""
    ours = events.alias()
    return (
        select(ours.c.position)
        .where(ours.c.department == OWN.name, ours.c.position > position)
        .exists()
    )


MOST_RECENT = 10_000
PAGE = 1_000
ReadPage = Callable[[int], Awaitable[list[Logged]]]
"""Returns the next page of events after a position."""


class Log:
    """The newest events in memory, and a way to read the older ones."""

    def __init__(self, read_page: ReadPage, most: int = MOST_RECENT) -> None:
        self.last = 0
        """The position of the last committed event."""
        self._read_page = read_page
        self._recent: deque[Logged] = deque(maxlen=most)
        self._waiting = trio.lowlevel.ParkingLot()
        self._listeners: list[Callable[[Sequence[Logged]], None]] = []

    def listen(self, callback: Callable[[Sequence[Logged]], None]) -> None:
        """Call back with the events of each later commit; the callback must not block or raise."""
        self._listeners.append(callback)

    def begin(self, last: int) -> None:
        """Go on after this position."""
        self.last = last

    def skip(self, last: int) -> None:
        """Go on after this position; followers read the missed events before it in pages."""
        self._recent.clear()
        self.begin(last)
        self._waiting.unpark_all()

    def add(self, logged: Sequence[Logged]) -> None:
        """Add committed events, call the listeners and wake the followers."""
        if logged:
            self._recent.extend(logged)
            self.last = logged[-1].position
            for listener in self._listeners:
                listener(logged)
            self._waiting.unpark_all()

    def follow(
        self, after: int, most: int = PAGE
    ) -> AbstractAsyncContextManager[AsyncGenerator[Sequence[Logged]]]:
        """Yield the events after a position, in batches of at most `most`, without end."""
        return aclosing(self._batches(after, most))

    async def _batches(self, position: int, most: int) -> AsyncGenerator[Sequence[Logged]]:
        while True:
            if position >= self.last:
                await self._waiting.park()
            batch = self._newer_than(position)
            if batch is None:
                batch = await self._read_page(position)
            if batch:
                position = batch[-1].position
                for part in in_parts(batch, most):
                    yield part

    def _newer_than(self, position: int) -> list[Logged] | None:
        """Return the events after a position; None if memory does not go back that far."""
        recent = self._recent
        if not recent or recent[0].position > position + 1:
            return None
        missing = self.last - position
        if missing >= len(recent):
            return list(recent)
        newest = list(islice(reversed(recent), missing))
        newest.reverse()
        return newest


def read_page(connection: Connection, after: int) -> list[Logged]:
    """Return the events after a position, oldest first, at most a page."""
    found = connection.execute(
        select(events).where(events.c.position > after).order_by(events.c.position).limit(PAGE)
    )
    return [Logged(row[0], row[1], Event(*row[2:])) for row in found]


MOST_SUBJECTS = 500
"""The limit of subjects that are deleted in one transaction."""


def prune_some(
    connection: Connection,
    department: Department[Any],
    before: float,
    followers: Iterable[Department[Any]],
) -> int:
    """Delete some subjects of a department that ended before a time, and return how many.

    Returns 0 when none is left. Keeps subjects with an event that one of `followers` has not
    followed yet, and that of the log's last event, because positions go on from it. `prunings`
    stores the position up to which events may be missing.
    """
    ended = department.ended(before)
    if ended is None:
        return 0
    stays = or_(events.c.at >= before, *_unfollowed(connection, followers))
    subjects = connection.execute(_prunable(ended, department, stays)).scalars().all()
    if subjects:
        ours = and_(events.c.department == department.name, events.c.subject.in_(subjects))
        _remember(connection, connection.execute(select(func.max(events.c.position)).where(ours)))
        connection.execute(delete(events).where(ours))
        for statement in department.prune:
            connection.execute(statement(subjects))
    return len(subjects)


def _unfollowed(connection: Connection, followers: Iterable[Department[Any]]) -> list[Any]:
    """Return conditions for the events that a follower has not followed yet."""
    selects = [one.followed for one in followers if one.followed is not None]
    positions = [connection.execute(one).scalar() or 0 for one in selects]
    return [events.c.position > min(positions)] if positions else []


def _prunable(ended: Any, department: Department[Any], stays: Any) -> Any:
    subject = ended.subquery().c[0]
    last = select(events.c.subject).order_by(events.c.position.desc()).limit(1)
    staying = select(events.c.position).where(
        events.c.subject == subject, events.c.department == department.name, stays
    )
    is_last = subject == last.scalar_subquery()
    return select(subject).where(~staying.exists(), ~is_last).limit(MOST_SUBJECTS)


def _remember(connection: Connection, found: Any) -> None:
    through: int = found.scalar() or 0
    known = connection.execute(select(prunings.c.through)).scalar()
    if known is None:
        connection.execute(insert(prunings).values(id=1, through=through))
    elif through > known:
        connection.execute(update(prunings).values(through=through))
