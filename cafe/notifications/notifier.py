"""The Notifier: the actor that owns all notifications, and the task that follows the log for it.

Rule: memory has only the topics, and the position up to which the log was followed. Each turn reads
what it needs, decides by the model, and commits: so the next turn finds all earlier changes, a
crash or a kill leaves nothing to undo, and a backlog of any size costs no memory.

A position is stored with the effects of the events up to it, in one commit. Events without effects,
such as those of the plain counter, are not worth a commit: their position is stored once in a
while, and after a crash they are read again.

Each topic has its own position, because one may be followed later than another. The log is read
once for all of them, from the lowest of these positions; a position never goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, TypeVar

from actors import Actor, Ref
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import Ledger
from cafe.ledger.reader import Query
from cafe.ledger.retries import until_done
from cafe.notifications.messages import Begin, CheckIn, Follow, Record, Retry
from cafe.notifications.notification import (
    Change,
    Notification,
    NotRetriedError,
    StatusChange,
    Topic,
)
from cafe.notifications.queries import (
    Counts,
    Kept,
    load,
    look_up,
    look_up_subjects,
)
from cafe.notifications.refusals import NothingToRetry, UnknownNotification
from cafe.notifications.sources import status_change_of
from cafe.notifications.tables import entries_of, entry_of_positions

R = TypeVar("R")
MOST_EVENTS: Final = 1_000
"""The most events without effects whose position is not stored."""
POSITION_SECONDS: Final = 60.0
"""The longest time without storing the position while events without effects come."""


class Notifier(Actor):
    """Owns notifications, from the event until they are delivered."""

    def __init__(
        self, ledger: Ledger, opened: tuple[Journal, Kept], wake: Callable[[], object]
    ) -> None:
        """Start from the loaded state; `wake` is called after each commit."""
        self._ledger = ledger
        self._journal, kept = opened
        self._topics = frozenset(kept.positions)
        self._position = 0
        """The position up to which this instance has followed the log."""
        self._remember(_first_of(kept.positions, 0))
        self._journal.on_commit(wake)

    def on_stop(self) -> None:
        """Unsubscribe from commits; what is written is still committed."""
        self._journal.on_commit(None)

    @Begin.handler
    async def begin(self, message: Begin) -> int:
        """Store the topics; return the lowest of their positions, `since` for new ones."""
        kept = await self._read(load)
        new = dict.fromkeys(message.topics - kept.positions.keys(), message.since)
        old = dict.fromkeys(kept.positions.keys() - message.topics, message.since)
        stored = ((new, True), (old, False))
        entries = [entry_of_positions(one, follows=follows) for one, follows in stored if one]
        if entries:
            await self._journal.commit(*entries)
        self._topics = message.topics
        positions = {topic: kept.positions.get(topic, message.since) for topic in message.topics}
        first = _first_of(positions, message.since)
        self._remember(first)
        return first

    @Follow.handler
    async def follow(self, message: Follow) -> None:
        """Add a notification for each event of a followed topic that needs one, once."""
        last = message.batch[-1].position
        changes = [one for one in map(status_change_of, message.batch) if one is not None]
        found = [one for one in changes if one.topic in self._topics]
        if found:
            subjects = {(one.topic, one.subject_id) for one in found}
            kept = await self._read(partial(look_up_subjects, subjects=subjects))
            new = [
                one
                for one in found
                if one.position > max(kept.positions[one.topic], self._position)
            ]
            if new:
                await self._note(new, kept, last)
        if last >= self._stored + MOST_EVENTS or self._is_overdue():
            kept = await self._read(load)
            await self._journal.commit(entry_of_positions(_moved(kept.positions, last)))
            self._remember(last)
        self._position = max(self._position, last)

    @Record.handler
    async def record(self, message: Record) -> None:
        """Apply the outcomes of attempts, and make the notifications due that were held behind."""
        kept = await self._read(
            partial(look_up, event_ids={one.event_id for one in message.attempts})
        )
        now = self._ledger.now()
        changes = [change for one in message.attempts for change in kept.outbox.attempted(one, now)]
        await self._commit(changes, kept.counts)

    @Retry.handler
    async def retry(self, message: Retry) -> Notification:
        """Make a notification due at once."""
        kept = await self._read(partial(look_up, event_ids=[message.event_id]))
        if message.event_id not in kept.outbox.by_id:
            raise UnknownNotification
        try:
            changes = kept.outbox.retry(message.event_id, self._ledger.now())
        except NotRetriedError as no:
            raise NothingToRetry(no.state) from None
        await self._commit(changes, kept.counts)
        return kept.outbox.by_id[message.event_id]

    @CheckIn.handler
    def check_in(self, _message: CheckIn) -> None:
        """Answer, which shows that earlier messages are done."""

    async def _note(self, new: Iterable[StatusChange], kept: Kept, last: int) -> None:
        now = self._ledger.now()
        changes = [change for one in new for change in kept.outbox.note(one, now)]
        await self._commit(changes, kept.counts, _moved(kept.positions, last))
        self._remember(last)

    async def _commit(
        self,
        changes: Iterable[Change],
        before: Counts,
        positions: Mapping[Topic, int] | None = None,
    ) -> None:
        """Commit changes, with the counts after them, and the positions of their events."""
        changes = list(changes)
        if not changes:
            return
        entries = entries_of(changes, before)
        if positions is not None:
            entries.append(entry_of_positions(positions))
        await self._journal.commit(*entries)

    def _is_overdue(self) -> bool:
        return (
            self._position > self._stored
            and self._ledger.now() >= self._stored_at + POSITION_SECONDS
        )

    def _remember(self, position: int) -> None:
        self._stored, self._stored_at = position, self._ledger.now()

    async def _read(self, query: Query[R]) -> R:
        """Read after the commit of all written entries, also of those of a cancelled turn."""
        return await self._ledger.read(query, behind=self._journal)


def _moved(positions: Mapping[Topic, int], last: int) -> dict[Topic, int]:
    """Return the positions after a batch that ends at `last`; none goes back."""
    return {topic: max(position, last) for topic, position in positions.items()}


def _first_of(positions: Mapping[Topic, int], default: int) -> int:
    return min(positions.values(), default=default)


async def follow_log(
    notifier: Ref[Notifier], ledger: Ledger, topics: frozenset[Topic], since: int
) -> None:
    """Send every event of the log to the Notifier, which skips events that it has applied.

    A topic that was not followed before begins with its first event after `since`. Never returns,
    unless there is no topic to follow: then once that is stored.
    """
    after = await until_done(partial(notifier.ask, Begin(topics, since)))
    if not topics:
        return
    async with ledger.follow(after) as batches:
        async for batch in batches:
            await until_done(partial(notifier.ask, Follow(tuple(batch))))
