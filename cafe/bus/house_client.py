"""A front's client of the house: it asks over the bus, and retries lost asks.

Rule: the client decides nothing. `codec.py` defines the encoding, `open_asks.py` the retries. A
cancelled ask ends at once here, and a moment later in the house; if it was answered meanwhile, the
answer is passed to a callback, if there is one. When another house takes over the shop, every ask
that was sent to the former one raises ActorCrashed, as a crash of the actor does: it may have taken
effect or not, and its asker knows how to retry it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import inf
from secrets import token_hex
from typing import Any, Final, NoReturn, TypeVar, cast

import structlog
import trio

from actors import Actor, ActorCrashed, MailboxFull
from cafe.bus.batches import CALL, QUERY, Answer, Answers, Heartbeat, Outcome
from cafe.bus.codec import arguments_to_bytes, decoder_of, encode, refusal_from_bytes
from cafe.bus.open_asks import OpenAsks
from cafe.bus.queries import path_of, rows_of, to_result
from cafe.bus.ref import BusRef
from cafe.bus.streams import Bus, StreamEntry
from cafe.ledger.reader import Query
from cafe.pace import Pace

A = TypeVar("A", bound=Actor)
T = TypeVar("T")

REPORT_SECONDS: Final = 0.5
"""The time between reports of open asks, and so about the time until a lost ask is resent."""
RENEW_SECONDS: Final = 1.5
"""The time between renewals of the front's key."""
SILENT_SECONDS: Final = 3.0
"""The time without a heartbeat after which the house counts as unavailable."""
FORGET_SECONDS: Final = 10.0
"""The time without a heartbeat after which a lower term is accepted: terms start lower after the
ledger was restored into another server."""
MOST_OPEN: Final = 20_000
"""The number of open asks of one front at which `tell_nowait` raises MailboxFull."""

NO_BODY: Final = encode(None)
read_answers: Final = decoder_of(Answers)
read_heartbeat: Final = decoder_of(Heartbeat)

Late = Callable[[Any], object]
"""Called with an answer that arrives after its ask was cancelled."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("bus")


class HouseLost(ActorCrashed):
    """Another house has taken over the shop since the ask was sent."""


class PendingAsk:
    """An ask whose task waits for the outcome, or was cancelled and has a callback for it."""

    __slots__ = ("answer", "done", "late", "name", "read")

    def __init__(self, name: str, read: Callable[[Any], Any]) -> None:
        self.name = name
        self.read = read
        self.done = trio.Event()
        self.answer: Answer | None = None
        self.late: Late | None = None

    def value(self) -> Any:
        """Return the answer; raises the refusal, or ActorCrashed if there is neither."""
        answer = self.answer
        if answer is None:
            raise HouseLost(self.name)
        if answer.outcome in (Outcome.CRASHED, Outcome.CANCELLED):
            raise ActorCrashed(self.name)
        if answer.outcome is Outcome.REFUSED:
            raise refusal_from_bytes(answer.body)
        return self.read(answer.body)


class HouseClient:
    """A front's end of the bus."""

    def __init__(self, bus: Bus, front: str) -> None:
        """Ask the house over `bus`; `front` is a name that no other front has ever used."""
        self.front = front
        self._bus = bus
        self._asks = OpenAsks(front)
        self._term = 0
        self._ignored = ""
        """The last house whose heartbeats were ignored."""
        self._pending: dict[int, PendingAsk] = {}
        self._bell = trio.Event()
        self._is_due = False
        self._heartbeat_at = -inf
        self._has_house = trio.Event()
        self._listeners: list[Callable[[Heartbeat], None]] = []
        self._callbacks: list[Callable[[], Awaitable[None]]] = []

    # Asking

    def ref(self, actor: type[A], name: str | None = None) -> BusRef[A]:
        """Return a ref of an actor of the house; its name is that of its class by default."""
        return BusRef(self, actor, name or actor.__name__)

    async def read(self, query: Query[T]) -> T:
        """Return the result of a query: a function that the house lists, or its keyword partial.

        A query changes nothing, so after a fail-over it is retried in the next house. Raises the
        reader's refusals, and ActorCrashed if the query fails otherwise or is unknown there.
        """
        function, named = rows_of(query)
        read, body = to_result(function), arguments_to_bytes((), named)
        while True:
            try:
                return cast("T", await self.ask(QUERY, path_of(function), body, read))
            except HouseLost:
                log.debug("read again in the next house", query=path_of(function))

    async def call(self, name: str, answer: type[T]) -> T:
        """Return the result of a call that the house offers under this name."""
        return cast("T", await self.ask(CALL, name, NO_BODY, decoder_of(answer)))

    async def ask(
        self, of: str, name: str, body: bytes, read: Callable[[Any], Any], late: Late | None = None
    ) -> Any:
        """Ask, and return the answer decoded by `read`; raises as a Ref does.

        `late` is called with an answer that arrives after the ask was cancelled.
        """
        number = self._asks.add(of, name, body)
        pending = self._pending[number] = PendingAsk(of, read)
        self._bell.set()
        try:
            await pending.done.wait()
        except trio.Cancelled:
            if pending.done.is_set():  # answered in the same scheduling pass
                self._give_late(pending, late)
            elif self._asks.cancel(number):
                pending.late = late
                self._bell.set()
            else:
                del self._pending[number]
            raise
        return pending.value()

    def tell_nowait(self, of: str, name: str, body: bytes) -> None:
        """Send a message without waiting for its outcome; raises MailboxFull.

        It is resent until the house has it, or another house takes over.
        """
        if len(self._asks) >= MOST_OPEN:
            raise MailboxFull(of, MOST_OPEN)
        self._asks.add(of, name, body)
        self._bell.set()

    @property
    def open(self) -> int:
        """How many asks are not settled."""
        return len(self._asks)

    @property
    def is_away(self) -> bool:
        """Whether Redis does not answer."""
        return self._bus.is_away

    @property
    def has_house(self) -> bool:
        """Whether a house has sent a heartbeat within SILENT_SECONDS."""
        return trio.current_time() < self._heartbeat_at + SILENT_SECONDS

    async def wait_for_house(self) -> None:
        """Wait for the first heartbeat of a house."""
        await self._has_house.wait()

    def on_heartbeat(self, callback: Callable[[Heartbeat], None]) -> None:
        """Call back with each heartbeat of the current house, in the order of the stream."""
        self._listeners.append(callback)

    def on_new_house(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call back after another house has taken over the shop."""
        self._callbacks.append(callback)

    # The tasks

    async def run(self) -> NoReturn:
        """Send, receive and report; never returns. Raises WrongVersion."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive, nursery)
            nursery.start_soon(self._report)
            await self._send()
        raise AssertionError

    async def close(self) -> None:
        """Delete this front's key and its stream of answers, so that the house sees it close."""
        names = self._bus.names
        await self._bus.delete(names.front(self.front), names.answers(self.front))

    async def _send(self) -> NoReturn:
        asks, names, pace, renew_at = self._asks, self._bus.names, Pace(), -inf
        while True:
            if not asks.has_news:
                await self._bell.wait()
            await pace.wait()
            self._bell = trio.Event()
            report, self._is_due = self._is_due, False
            renews = report and trio.current_time() >= renew_at
            if renews:
                renew_at = trio.current_time() + RENEW_SECONDS
            entries: list[StreamEntry] = []
            if asks.has_news or (report and asks.has_open):
                batch = asks.take(report=report)
                pace.note(len(batch.asks))
                entries.append(StreamEntry(names.asks, encode(batch), "asks"))
            if entries or renews:
                await self._bus.add(entries, renew=self.front if renews else None)

    async def _report(self) -> NoReturn:
        while True:
            self._is_due = True
            self._bell.set()
            await trio.sleep(REPORT_SECONDS)

    async def _receive(self, nursery: trio.Nursery) -> NoReturn:
        names = self._bus.names
        ids = {
            names.answers(self.front): b"0-0",
            **await self._bus.last_of([names.log]),
        }
        while True:
            entries, ids = await self._bus.read(ids)
            # Committed events first: an answer may depend on them.
            for stream, body in entries:
                if stream == names.log:
                    self._take_heartbeat(read_heartbeat(body), nursery)
            for stream, body in entries:
                if stream != names.log:
                    self._take_answers(read_answers(body))

    def _take_heartbeat(self, heartbeat: Heartbeat, nursery: trio.Nursery) -> None:
        if (
            heartbeat.term < self._term
            and trio.current_time() < self._heartbeat_at + FORGET_SECONDS
        ):
            self._ignore(heartbeat)
            return
        self._term = heartbeat.term
        if heartbeat.house != self._asks.house:
            self._begin(heartbeat.house, nursery)
        self._heartbeat_at = trio.current_time()
        self._has_house.set()
        for listener in self._listeners:
            listener(heartbeat)

    def _ignore(self, heartbeat: Heartbeat) -> None:
        """Log once that a house has lost the shop, or belongs to a ledger that was restored."""
        if heartbeat.house != self._ignored:
            self._ignored = heartbeat.house
            log.warning("house ignored", house=heartbeat.house, term=heartbeat.term)

    def _take_answers(self, answers: Answers) -> None:
        if answers.house != self._asks.house:
            return
        for answer in answers.answers:
            if answer.outcome is Outcome.UNKNOWN:
                self._asks.repeat(answer.number)
                self._bell.set()
            elif self._asks.settle(answer.number):
                self._end(answer.number, answer)

    def _begin(self, house: str, nursery: trio.Nursery) -> None:
        is_first = not self._asks.house
        failed = self._asks.begin(house)
        for number in failed:
            self._end(number, None)
        self._bell.set()
        if not is_first:
            log.warning("another house owns the shop", house=house, asks_failed=len(failed))
            for callback in self._callbacks:
                nursery.start_soon(callback)

    def _end(self, number: int, answer: Answer | None) -> None:
        pending = self._pending.pop(number, None)
        if pending is None:
            return  # nothing waits for the outcome of a tell
        pending.answer = answer
        pending.done.set()
        self._give_late(pending, pending.late)

    def _give_late(self, pending: PendingAsk, late: Late | None) -> None:
        answer = pending.answer
        if late is not None and answer is not None and answer.outcome is Outcome.ANSWERED:
            late(pending.read(answer.body))


@asynccontextmanager
async def open_house_client(bus: Bus) -> AsyncGenerator[HouseClient]:
    """Yield a client under a new name; closes it at the end."""
    house = HouseClient(bus, token_hex(8))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.run)
        try:
            yield house
        finally:
            with trio.move_on_after(1.0, shield=True):
                await house.close()
            nursery.cancel_scope.cancel()
