"""What a front copies from the house: loaded when it opens, and again when it may have changed.

Rule: a copy is as old as the last news at most. A `Copy` is loaded again for each event that
concerns it, many at once, and where events were missed or another house owns the shop. A
`FollowingCopy` takes in the events themselves, and is loaded again, in place, where some were
missed. One load runs at a time, so that none shows what is older than what was shown before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, Generic, NoReturn, TypeVar

import structlog
import trio

from actors import Actor, ActorError
from actors.message import Question
from cafe.bus.following_ledger import FollowingLedger
from cafe.bus.house_client import HouseClient
from cafe.bus.ref import BusRef
from cafe.http.refusals import CafeRefusal
from cafe.ledger.department import Logged

A = TypeVar("A", bound=Actor)
R = TypeVar("R")
T = TypeVar("T")

RETRY_SECONDS: Final = 0.5
"""Between two attempts to load."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("bus")


async def until_loaded(load: Callable[[], Awaitable[T]]) -> T:
    """Return what `load` returns, however long it raises CafeRefusal or ActorError instead."""
    while True:
        try:
            return await load()
        except (CafeRefusal, ActorError) as no:
            log.warning("not loaded; it is retried", why=str(no))
        await trio.sleep(RETRY_SECONDS)


class Copy:
    """Something at a front that shows what the house has."""

    def __init__(
        self, load: Callable[[], Awaitable[None]], concerns: Callable[[Logged], bool]
    ) -> None:
        """Have `load` ask the house and show what it has; `concerns` says which events change it.

        `load` may raise CafeRefusal and ActorError.
        """
        self._load = load
        self._concerns = concerns
        self._turn = trio.Lock()
        self._bell = trio.Event()

    async def begin(self, house: HouseClient, ledger: FollowingLedger) -> None:
        """Follow a house's log, and return when it is loaded for the first time.

        Then `run` has to run.
        """
        ledger.listen(self._hear)  # first: what changes after the load is heard
        ledger.on_gap(self.doubt)
        house.on_new_house(self.doubt)
        await until_loaded(self.load)

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
            await until_loaded(self.load)

    def _hear(self, logged: Sequence[Logged]) -> None:
        if any(map(self._concerns, logged)):
            self._bell.set()


class FollowingCopy(Generic[T]):
    """Something at a front that follows the log, as its like in the house does."""

    def __init__(
        self,
        load: Callable[[], Awaitable[T]],
        begin: Callable[[T], None],
        hear: Callable[[Sequence[Logged]], None],
    ) -> None:
        """Have `begin` take what `load` returns, and `hear` what was committed since.

        What is heard while it is loaded may be missing in what comes: that is heard again behind
        it. `load` may raise CafeRefusal and ActorError.
        """
        self._load = load
        self._begin = begin
        self._hear = hear
        self._turn = trio.Lock()
        self._meanwhile: list[Sequence[Logged]] | None = None
        """What was heard since a load began; None while none runs."""

    async def begin(self, ledger: FollowingLedger) -> None:
        """Follow a house's log, and return when it is loaded for the first time."""
        ledger.listen(self._take)
        ledger.on_gap(self._load_now)
        await until_loaded(self._load_now)

    def _take(self, logged: Sequence[Logged]) -> None:
        self._hear(logged)
        if self._meanwhile is not None:
            self._meanwhile.append(logged)

    async def _load_now(self) -> None:
        async with self._turn:  # events may be missed also while it is loaded
            meanwhile = self._meanwhile = list[Sequence[Logged]]()
            try:
                loaded = await self._load()
            finally:
                self._meanwhile = None
            self._begin(loaded)
            for logged in meanwhile:
                self._hear(logged)


class CopyingRef(BusRef[A]):
    """A ref of an actor of which this front has a copy: who changes something finds it changed."""

    def __init__(
        self, house: HouseClient, actor: type[A], changes: Collection[type[Any]], copy: Copy
    ) -> None:
        """Load the copy again behind each answer to a message that is one of `changes`."""
        super().__init__(house, actor, actor.__name__)
        self._changes = frozenset(changes)
        self._copy = copy

    async def ask(self, message: Question[A, R]) -> R:
        """Ask as a BusRef does; the copy shows what has changed before this returns."""
        answer = await super().ask(message)
        if type(message) in self._changes:
            await self._copy.load()
        return answer
