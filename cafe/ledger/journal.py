"""A journal: what one department has written and the ledger has not committed yet.

Rule: nobody is told of anything that is not committed. A reply that is given here is held until all
that was written before it is committed, and goes out at once where nothing is held up.

A journal is a plain value between two owners, as a memory channel is: an actor writes in its turns,
the committer takes what has gathered. It belongs to one instance of its actor. When it is closed,
what it had not committed never happened, and its askers are told to ask again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import trio

from actors import Reply
from cafe.http.refusals import CafeRefusal
from cafe.ledger.department import Entry
from cafe.ledger.errors import JournalClosed, LedgerUnavailable
from cafe.ledger.store import Unit

R = TypeVar("R")


class Answerable(Protocol):
    """What can be answered or failed: a reply, or a handler that waits for its own commit."""

    def send(self, answer: Any, /) -> bool:
        """Answer."""
        ...

    def fail(self, error: Exception, /) -> bool:
        """Raise the error in who waits."""
        ...


class Waiter:
    """A handler that waits until what it has written is committed."""

    def __init__(self) -> None:
        self._done = trio.Event()
        self._error: Exception | None = None

    def send(self, _answer: None) -> bool:
        """Let it go on."""
        self._done.set()
        return True

    def fail(self, error: Exception) -> bool:
        """Raise the error in it."""
        self._error = error
        self._done.set()
        return True

    async def wait(self) -> None:
        """Return or raise what became of it."""
        await self._done.wait()
        if self._error is not None:
            raise self._error


class Held(NamedTuple):
    """A reply that waits for a commit, and what is to be done with it then."""

    reply: Answerable
    value: Any
    refusal: CafeRefusal | None = None
    looks: bool = False
    """Its message wrote nothing: a row that is refused before it is not its own."""

    def settle(self) -> None:
        """Answer or refuse, as was decided when it was held."""
        if self.refusal is None:
            self.reply.send(self.value)
        else:
            self.reply.fail(self.refusal)


Item = Unit | Held


class Journal:
    """Units in the order in which they were written, and the replies between them."""

    def __init__(
        self, department: str, number: int, ring: Callable[[], None], *, chained: bool
    ) -> None:
        """Be the `number`-th journal of a department in this process.

        `ring` wakes the committer.
        """
        self.number = number
        self.closed = False
        self.refusal: CafeRefusal = JournalClosed()
        """What is said once it is closed."""
        self.department = department
        self._chained = chained
        self._ring = ring
        self._items: list[Item] = []
        self._written = 0
        self._committed = 0
        self._on_commit: Callable[[], object] | None = None

    @property
    def uncommitted(self) -> int:
        """Count the units that are written and not committed; of a closed journal none will be."""
        return 0 if self.closed else self._written - self._committed

    @property
    def written(self) -> int:
        """Count the units that were ever written: what `committed` has to reach for the last."""
        return self._written

    @property
    def committed(self) -> int:
        """Count the units that are committed; they are committed in the order of their writing."""
        return self._committed

    @property
    def has_units(self) -> bool:
        """Whether something has gathered that is to be written."""
        return any(isinstance(item, Unit) for item in self._items)

    # The actor's end

    def write(self, *entries: Entry) -> None:
        """Write entries, all of which are committed together or none."""
        if not self.closed:
            self._written += 1
            self._items.append(Unit(self.department, entries, self._chained))
            self._ring()

    def reply(self, reply: Reply[R], value: R, *, looks: bool = False) -> None:
        """Answer once all that was written until now is committed.

        The answer to a message that wrote nothing only `looks`: where the row before it is refused,
        its asker is to ask again, and is not told of a row that is somebody else's.
        """
        self._hold(Held(reply, value, looks=looks))

    def refuse(self, reply: Reply[Any], refusal: CafeRefusal) -> None:
        """Refuse once all that was written until now is committed: what led to it must be so."""
        self._hold(Held(reply, None, refusal, looks=True))

    async def commit(self, *entries: Entry) -> None:
        """Write entries, and return when they are committed: for a handler that may wait.

        Raises NotRecorded where the database refuses them, and JournalClosed or LedgerUnavailable
        as a reply would be failed. If this is cancelled, they are committed all the same: read
        `behind` the journal to see them.
        """
        self.write(*entries)
        await self.wait_settled()

    async def wait_settled(self) -> None:
        """Return when all that was written until now is committed; raises as `commit` does."""
        waiter = Waiter()
        self._hold(Held(waiter, None))
        await waiter.wait()

    def on_commit(self, callback: Callable[[], object] | None) -> None:
        """Have a callback called after each commit of this journal's units, outside of any turn."""
        self._on_commit = callback

    # The committer's end

    def take(self, most: int) -> list[Item]:
        """Take what has gathered, up to so many units and the replies behind them."""
        if len(self._items) <= most:
            items, self._items = self._items, []
            return items
        taken = most
        while taken < len(self._items) and isinstance(self._items[taken], Held):
            taken += 1
        items, self._items = self._items[:taken], self._items[taken:]
        return items

    def settled(self, units: int) -> None:
        """Note that so many more units are settled, and settle replies that wait no longer."""
        self._committed += units
        if self.closed:
            return
        due = 0
        while due < len(self._items) and isinstance(self._items[due], Held):
            due += 1
        ripe, self._items = self._items[:due], self._items[due:]
        for item in ripe:
            if isinstance(item, Held):
                item.settle()
        if units and self._on_commit is not None:
            self._on_commit()

    def close(self, refusal: CafeRefusal | None = None) -> None:
        """Take nothing more; refuse every reply, by default so that it is asked for again."""
        self.closed = True
        self.refusal = refusal or self.refusal
        self.give_up(self.refusal)
        self._items.clear()

    def give_up(self, refusal: CafeRefusal) -> None:
        """Refuse every reply that is held here; what was written is committed all the same."""
        items = self._items
        self._items = [item for item in items if isinstance(item, Unit)]
        for item in items:
            if isinstance(item, Held):
                item.reply.fail(refusal)

    def _hold(self, held: Held) -> None:
        if self.closed:
            held.reply.fail(self.refusal)
        elif self.uncommitted:
            self._items.append(held)
        else:
            held.settle()


def closed_journal(department: str) -> Journal:
    """Give a journal that takes nothing, and never will: it refuses every reply."""
    journal = Journal(department, 0, lambda: None, chained=True)
    journal.close(LedgerUnavailable())
    return journal
