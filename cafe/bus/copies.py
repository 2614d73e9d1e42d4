"""A front's copies of the house's state: loaded at its start, and again when that may have changed.

Rule: an event that concerns a copy updates it. A `Copy` is loaded again after such an event (one
load for all that have gathered), after missed events, and after a fail-over. A `FollowingCopy`
applies the events themselves, and is loaded again only after missed events. Each copy runs one load
at a time, so that an older state never replaces a newer one.
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
"""The time between attempts to load."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("bus")


async def until_loaded(load: Callable[[], Awaitable[T]]) -> T:
    """Return what `load` returns; retries as long as it raises CafeRefusal or ActorError."""
    while True:
        try:
            return await load()
        except (CafeRefusal, ActorError) as no:
            log.warning("not loaded; it is retried", why=str(no))
        await trio.sleep(RETRY_SECONDS)


class Copy:
    """A copy that is loaded as a whole."""

    def __init__(
        self, load: Callable[[], Awaitable[None]], concerns: Callable[[Logged], bool]
    ) -> None:
        """Update the copy with `load`, after each event for which `concerns` returns True.

        `load` may raise CafeRefusal and ActorError.
        """
        self._load = load
        self._concerns = concerns
        self._turn = trio.Lock()
        self._bell = trio.Event()

    async def begin(self, house: HouseClient, ledger: FollowingLedger) -> None:
        """Follow a house's log; returns after the first load. Then start `run`."""
        ledger.listen(self._hear)  # before the load, so that no later change is missed
        ledger.on_gap(self.doubt)
        house.on_new_house(self.doubt)
        await until_loaded(self._load_alone)

    async def refresh(self) -> None:
        """Load the copy now; if that fails, `run` retries it."""
        try:
            await self._load_alone()
        except (CafeRefusal, ActorError):
            await self.doubt()

    async def doubt(self) -> None:
        """Schedule a load, whatever has changed."""
        self._bell.set()

    async def run(self) -> NoReturn:
        """Load again after changes; never returns, and retries through crashes and outages."""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            await until_loaded(self._load_alone)

    async def _load_alone(self) -> None:
        async with self._turn:
            await self._load()

    def _hear(self, logged: Sequence[Logged]) -> None:
        if any(map(self._concerns, logged)):
            self._bell.set()


class FollowingCopy(Generic[T]):
    """A copy that is loaded once and then applies the events of the log."""

    def __init__(
        self,
        load: Callable[[], Awaitable[T]],
        begin: Callable[[T], None],
        hear: Callable[[Sequence[Logged]], None],
    ) -> None:
        """Pass what `load` returns to `begin`, and what is committed afterwards to `hear`.

        Events that arrive during a load may be missing from its result: `hear` gets them a second
        time, after `begin`. `load` may raise CafeRefusal and ActorError.
        """
        self._load = load
        self._begin = begin
        self._hear = hear
        self._turn = trio.Lock()
        self._meanwhile: list[Sequence[Logged]] | None = None
        """The events since a load began; None while no load runs."""

    async def begin(self, ledger: FollowingLedger) -> None:
        """Follow a house's log; returns after the first load."""
        ledger.listen(self._take)
        ledger.on_gap(self._load_now)
        await until_loaded(self._load_now)

    def _take(self, logged: Sequence[Logged]) -> None:
        self._hear(logged)
        if self._meanwhile is not None:
            self._meanwhile.append(logged)

    async def _load_now(self) -> None:
        async with self._turn:  # events may be missed during a load, too
            meanwhile = self._meanwhile = list[Sequence[Logged]]()
            try:
                loaded = await self._load()
            finally:
                self._meanwhile = None
            self._begin(loaded)
            for logged in meanwhile:
                self._hear(logged)


class CopyingRef(BusRef[A]):
    """A ref of an actor whose state this front copies: its asker sees its own changes at once."""

    def __init__(
        self, house: HouseClient, actor: type[A], changes: Collection[type[Any]], copy: Copy
    ) -> None:
        """Load the copy again after each answer to a message whose type is in `changes`."""
        super().__init__(house, actor, actor.__name__)
        self._changes = frozenset(changes)
        self._copy = copy

    async def ask(self, message: Question[A, R]) -> R:
        """Ask as a BusRef does; if the message changes the copy, refresh that before returning.

        A copy that cannot be loaded then is no error of the message, which has taken effect.
        """
        answer = await super().ask(message)
        if type(message) in self._changes:
            await self._copy.refresh()
        return answer
