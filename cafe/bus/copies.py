"""What a front copies from the house: loaded when it opens, and again when it may have changed.

Rule: a copy is as old as the last news at most. It is loaded again for each event that concerns it,
many at once, and where events were missed or another house owns the shop. One load runs at a time,
so that none shows what is older than what was shown before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, NoReturn, TypeVar

import structlog
import trio

from actors import Actor, ActorError
from actors.message import Question
from cafe.bus.following_ledger import FollowingLedger
from cafe.bus.line import Line
from cafe.bus.ref import BusRef
from cafe.http.refusals import CafeRefusal
from cafe.ledger.department import Logged

A = TypeVar("A", bound=Actor)
R = TypeVar("R")

RETRY_SECONDS: Final = 0.5
"""Between two attempts to load."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("bus")


def nothing(_logged: Logged) -> bool:
    """Return that an event does not concern a copy: it follows the log by itself."""
    return False


class Copy:
    """Something at a front that shows what the house has."""

    def __init__(
        self, load: Callable[[], Awaitable[None]], concerns: Callable[[Logged], bool] = nothing
    ) -> None:
        """Have `load` ask the house and show what it has; `concerns` says which events change it.

        `load` may raise CafeRefusal and ActorError.
        """
        self._load = load
        self._concerns = concerns
        self._turn = trio.Lock()
        self._bell = trio.Event()

    async def begin(self, line: Line, ledger: FollowingLedger) -> None:
        """Follow a house's log, and return when it is loaded for the first time.

        Then `run` has to run.
        """
        ledger.listen(self._hear)  # first: what changes after the load is heard
        ledger.on_gap(self.doubt)
        line.on_new_house(self.doubt)
        await self._load_at_last()

    async def load(self) -> None:
        """Load it now; raises CafeRefusal and ActorError."""
        async with self._turn:
            await self._load()

    async def doubt(self) -> None:
        """Have it loaded again soon, whatever has changed."""
        self._bell.set()

    async def run(self) -> NoReturn:
        """Load again when there is news; never returns, and outlives crashes and outages."""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            await self._load_at_last()

    def _hear(self, logged: Sequence[Logged]) -> None:
        if any(map(self._concerns, logged)):
            self._bell.set()

    async def _load_at_last(self) -> None:
        while True:
            try:
                return await self.load()
            except (CafeRefusal, ActorError) as no:
                log.warning("not loaded; it is retried", why=str(no))
            await trio.sleep(RETRY_SECONDS)


class CopyingRef(BusRef[A]):
    """A ref of an actor of which this front has a copy: who changes something finds it changed."""

    def __init__(
        self, line: Line, actor: type[A], changes: Collection[type[Any]], copy: Copy
    ) -> None:
        """Load the copy again behind each answer to a message that is one of `changes`."""
        super().__init__(line, actor, actor.__name__)
        self._changes = frozenset(changes)
        self._copy = copy

    async def ask(self, message: Question[A, R]) -> R:
        """Ask as a BusRef does; the copy shows what has changed before this returns."""
        answer = await super().ask(message)
        if type(message) in self._changes:
            await self._copy.load()
        return answer
