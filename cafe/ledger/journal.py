"""A journal: the entries that one department has written and the ledger has not committed yet.

Rule: replies are held until the entries written before them are committed; if all entries are
committed they are sent at once. So no uncommitted state leaves the department.

A journal is a plain value between two owners, as a memory channel is: an actor writes in its turns,
the committer takes what has gathered. It belongs to one instance of its actor. When it is closed,
its uncommitted entries are discarded, and the askers of the replies that it holds have to retry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import Any, NamedTuple, Protocol, TypeVar

import trio

from cafe.http.refusals import CafeRefusal
from cafe.ledger.department import Entry
from cafe.ledger.errors import JournalClosed, LedgerUnavailable
from cafe.ledger.store import Unit

R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)


class Answerable(Protocol[R_contra]):
    """Can be answered or failed: a reply, or a handler that waits for its own commit."""

    def send(self, answer: R_contra, /) -> bool:
        """Answer."""
        ...

    def fail(self, error: Exception, /) -> bool:
        """Raise the error in the waiting task."""
        ...


class Waiter:
    """A handler that waits until its entries are committed."""

    def __init__(self) -> None:
        self._done = trio.Event()
        self._error: Exception | None = None

    def send(self, _answer: None) -> bool:
        """Let `wait` return."""
        self._done.set()
        return True

    def fail(self, error: Exception) -> bool:
        """Let `wait` raise the error."""
        self._error = error
        self._done.set()
        return True

    async def wait(self) -> None:
        """Return after `send`; raise the error of `fail`."""
        await self._done.wait()
        if self._error is not None:
            raise self._error


class Held(NamedTuple):
    """A reply that is held for a commit, and how it is settled then."""

    reply: Answerable[Any]
    value: Any
    """Sent to it, unless there is a refusal."""
    refusal: CafeRefusal | None = None
    looks: bool = False
    """Its message wrote nothing, so it does not fail for the refused row of another message."""


Item = Unit | Held


class Journal:
    """Units in the order in which they were written, and the replies between them."""

    def __init__(
        self, department: str, number: int, wake: Callable[[], object], *, chained: bool
    ) -> None:
        """Make the `number`-th journal of a department in this process.

        `wake` wakes the committer, if it waits for units.
        """
        self.number = number
        self.closed = False
        self.refusal: CafeRefusal = JournalClosed()
        """The error of all replies once this is closed."""
        self.department = department
        self._chained = chained
        self._wake = wake
        self._items: list[Item] = []
        self.written = 0
        """The number of units written so far; `committed` reaches it with the last."""
        self.committed = 0
        """The number of units committed so far, in the order of writing."""
        self.uncommitted = 0
        """The number of units that wait for a commit; 0 once this is closed."""
        self._on_commit: Callable[[], object] | None = None

    # The actor's side

    def write(self, *entries: Entry) -> None:
        """Write entries, all of which are committed together or none."""
        if not self.closed:
            self.written += 1
            self.uncommitted += 1
            self._items.append(Unit(self.department, entries, self._chained))
            self._wake()

    def reply(self, reply: Answerable[R], value: R, *, looks: bool = False) -> None:
        """Send an answer once all that was written until now is committed.

        With `looks` the message wrote nothing: if a row before it is refused, the reply fails with
        JournalClosed, and not with the NotRecorded of another message's row.
        """
        if self.uncommitted:
            self._items.append(Held(reply, value, looks=looks))
        elif self.closed:
            reply.fail(self.refusal)
        else:
            reply.send(value)

    def refuse(self, reply: Answerable[Any], refusal: CafeRefusal) -> None:
        """Fail with a refusal once all that was written until now is committed."""
        if self.uncommitted:
            self._items.append(Held(reply, None, refusal, looks=True))
        else:
            reply.fail(self.refusal if self.closed else refusal)

    async def commit(self, *entries: Entry) -> None:
        """Write entries, and return when they are committed: for a handler that may wait.

        Raises NotRecorded if the database refuses them, and JournalClosed or LedgerUnavailable
        where a reply would fail with it. If this is cancelled, they are still committed: read
        `behind` the journal to see them.
        """
        self.write(*entries)
        await self.wait_settled()

    async def wait_settled(self) -> None:
        """Return when all that was written until now is committed; raises as `commit` does."""
        waiter = Waiter()
        self.reply(waiter, None)
        await waiter.wait()

    def on_commit(self, callback: Callable[[], object] | None) -> None:
        """Call `callback` after each commit of this journal's units, outside of any turn."""
        self._on_commit = callback

    # The committer's side

    @property
    def gathered(self) -> int:
        """Return how many units and held replies wait to be taken."""
        return len(self._items)

    def take(self, most: int) -> list[Item]:
        """Remove and return what has gathered: up to `most` items, and the replies after them."""
        taken = most
        while taken < len(self._items) and isinstance(self._items[taken], Held):
            taken += 1
        items, self._items = self._items[:taken], self._items[taken:]
        return items

    def settle(self, items: Iterable[Item]) -> None:
        """Settle the replies among the items that were taken, and count the units as committed.

        Also settles the replies that came since and waited for these units only.
        """
        units = 0
        due = list(takewhile(lambda item: isinstance(item, Held), self._items))
        del self._items[: len(due)]
        for item in (*items, *due):
            if isinstance(item, Unit):
                units += 1
            elif item.refusal is None:
                item.reply.send(item.value)
            else:
                item.reply.fail(item.refusal)
        self.committed += units
        if units and not self.closed:
            self.uncommitted -= units
            if self._on_commit is not None:
                self._on_commit()

    def close(self, refusal: CafeRefusal | None = None) -> None:
        """Discard the units not taken; fail every reply, by default with JournalClosed."""
        self.closed = True
        self.uncommitted = 0
        self.refusal = refusal or self.refusal
        self.give_up(self.refusal)
        self._items.clear()

    def give_up(self, refusal: CafeRefusal) -> None:
        """Fail every held reply; the units are still committed."""
        items = self._items
        self._items = [item for item in items if isinstance(item, Unit)]
        for item in items:
            if isinstance(item, Held):
                item.reply.fail(refusal)


def closed_journal(department: str) -> Journal:
    """Return a journal that is closed: it discards entries, and fails every reply."""
    journal = Journal(department, 0, lambda: None, chained=True)
    journal.close(LedgerUnavailable())
    return journal
