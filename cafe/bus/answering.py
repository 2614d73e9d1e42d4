"""The house's end of the bus: it runs the asks of fronts and sends the answers.

Rule: it decides nothing. `reply_cache.py` separates new asks from repeated ones; an ask over the
bus is an ask of the actor (`invoking.py`), and is cancelled when its front cancels it or
disconnects. Each front has its own stream of answers; all fronts follow one stream of heartbeats
and committed events.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from secrets import token_hex
from typing import Final, NoReturn

import structlog
import trio

from cafe.bus.batches import (
    Answer,
    Answers,
    Asks,
    Changed,
    Happened,
    Heartbeat,
    Open,
    Outcome,
)
from cafe.bus.codec import MALFORMED, decoder_of, encode
from cafe.bus.invoking import NOTHING, Askable, Invoker
from cafe.bus.reply_cache import ReplyCache
from cafe.bus.streams import LIVES_SECONDS, Bus, StreamEntry
from cafe.ledger.department import Logged, Put
from cafe.ledger.view import LedgerView
from cafe.pace import Pace

HEARTBEAT_SECONDS: Final = 1.0
"""The time between heartbeats while nothing is committed."""
READ_SECONDS: Final = 0.002
"""The minimum time between reads, so that one read returns the batches of several fronts."""
DRAIN_SECONDS: Final = 0.3
"""The time for asks under way to be answered before a shutdown."""
LOOK_SECONDS: Final = 1.0
"""The time between checks for fronts that have disconnected."""
MOST_FORGOTTEN: Final = 1_000
"""The limit of disconnected fronts that are recognised if they come back, the newest ones."""
MOST_EVENTS: Final = 20_000
"""The limit of unsent events; above it they are dropped, and fronts load their copies again."""

read_asks: Final = decoder_of(Asks)

log: structlog.stdlib.BoundLogger = structlog.get_logger("bus")


@dataclass(slots=True)
class KnownFront:
    """What a house knows of one front."""

    replies: ReplyCache
    seen_at: float = 0.0
    cancels: dict[int, Callable[[], None]] = field(default_factory=dict[int, Callable[[], None]])
    """The function that cancels each running ask, by the ask's number."""


class Answering:
    """Answers the fronts of one shop while this house owns it."""

    def __init__(
        self,
        bus: Bus,
        term: Callable[[], int],
        askable: Askable,
        ledger: LedgerView,
        on_gone: Callable[[str], Awaitable[None]],
    ) -> None:
        """Answer as the owner; `term` returns the number of the current ownership.

        `on_gone` is called with the name of each front that has disconnected.
        """
        self._house = token_hex(8)
        self._bus = bus
        self._term = term
        self._invoker = Invoker(askable, ledger)
        self._ledger = ledger
        self._on_gone = on_gone
        self._fronts: dict[str, KnownFront] = {}
        self._forgotten: dict[str, int] = {}
        """The last number of each front that has disconnected, the newest one last."""
        self._answers: dict[str, list[Answer]] = {}
        self._events: list[Happened] = []
        self._position = ledger.statistics().position
        self._bell = trio.Event()
        self._receiving = trio.CancelScope()
        ledger.listen(self._hear)

    @property
    def fronts(self) -> int:
        """How many fronts are known."""
        return len(self._fronts)

    async def run(self) -> NoReturn:
        """Answer until cancelled; skips malformed batches, and those of another release."""
        # Before the first heartbeat: fronts ask as soon as they have received one.
        ids = await self._bus.last_of([self._bus.names.asks])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send)
            nursery.start_soon(self._look_for_gone, nursery)
            with self._receiving:
                await self._receive(ids, nursery)
            await trio.sleep_forever()
        raise AssertionError

    async def drain(self) -> None:
        """Stop receiving, and allow a moment to answer what is under way, before a shutdown.

        An ask that waits for something else, such as a barista's for an order, is not answered:
        its front asks the next house.
        """
        self._receiving.cancel()
        await trio.sleep(DRAIN_SECONDS)

    # Sending

    def _hear(self, logged: Sequence[Logged]) -> None:
        """Queue committed events to be sent; a callback for `Ledger.listen`."""
        if len(self._events) > MOST_EVENTS:
            self._events.clear()
        self._events += map(_happened, logged)
        self._position = logged[-1].position
        self._bell.set()

    def _heartbeat(self, events: list[Happened]) -> Heartbeat:
        return Heartbeat(self._house, self._term(), self._ledger.now(), self._position, events)

    def _answer(self, front: str, answer: Answer) -> None:
        self._answers.setdefault(front, []).append(answer)
        self._bell.set()

    async def _send(self) -> NoReturn:
        # The first heartbeat is sent at once: fronts wait for it after a fail-over.
        names, pace, heartbeat_at = self._bus.names, Pace(), -inf
        while True:
            with trio.move_on_at(heartbeat_at + HEARTBEAT_SECONDS):
                await self._bell.wait()
            await pace.wait()
            self._bell, now = trio.Event(), trio.current_time()
            events, self._events = self._events, []
            answers, self._answers = self._answers, {}
            pace.note(sum(map(len, answers.values())))
            entries: list[StreamEntry] = []
            if (
                events or now >= heartbeat_at + HEARTBEAT_SECONDS
            ):  # also while only answers are sent
                heartbeat_at = now
                entries.append(StreamEntry(names.log, encode(self._heartbeat(events)), "log"))
            entries += [
                StreamEntry(names.answers(front), encode(Answers(self._house, some)), "answers")
                for front, some in answers.items()
            ]
            # A lost entry does no harm: answers are cached, and a gap in positions is detected.
            await self._bus.add(entries)

    # Receiving

    async def _receive(self, ids: dict[str, bytes], nursery: trio.Nursery) -> NoReturn:
        read_at = -inf
        while True:
            await trio.sleep_until(read_at + READ_SECONDS)
            read_at = trio.current_time()
            entries, ids = await self._bus.read(ids)
            for _stream, body in entries:
                try:
                    asks = read_asks(body)
                except MALFORMED as error:
                    log.warning("no batch of asks", detail=str(error))
                    continue
                if asks.house == self._house:
                    self._take(asks, nursery)

    def _take(self, asks: Asks, nursery: trio.Nursery) -> None:
        name = asks.front
        front = self._fronts.get(name)
        if front is None:
            front = self._fronts[name] = KnownFront(ReplyCache(self._forgotten.pop(name, 0)))
        front.seen_at = trio.current_time()
        for one in front.replies.begin(asks.asks):
            if isinstance(one, Answer):
                self._answer(name, one)
            elif front.replies.is_cancelled(one.number):
                self._end(name, front, Answer(one.number, Outcome.CANCELLED, NOTHING))
            else:
                cancel = self._invoker.begin(one, nursery, partial(self._end, name, front))
                if front.replies.runs(one.number):
                    front.cancels[one.number] = cancel
        for number in front.replies.cancel(asks.cancelled):
            self._cancel(name, front, number)
        if asks.open is not None:
            self._take_report(name, front, asks.open)

    def _take_report(self, name: str, front: KnownFront, opened: Open) -> None:
        due = front.replies.report(opened)
        for number in due.unknown:
            self._answer(name, Answer(number, Outcome.UNKNOWN, NOTHING))
        for number in due.forgotten:
            self._answer(name, Answer(number, Outcome.CRASHED, NOTHING))
        for answer in due.answers:
            self._answer(name, answer)
        for number in due.given_up:
            self._cancel(name, front, number)

    def _cancel(self, name: str, front: KnownFront, number: int) -> None:
        front.cancels[number]()
        self._end(name, front, Answer(number, Outcome.CANCELLED, NOTHING))

    def _end(self, name: str, front: KnownFront, answer: Answer) -> None:
        front.cancels.pop(answer.number, None)
        if not front.replies.runs(answer.number):
            return  # already answered as cancelled
        front.replies.end(answer)
        if name in self._fronts:
            self._answer(name, answer)

    # Disconnected fronts

    async def _look_for_gone(self, nursery: trio.Nursery) -> NoReturn:
        while True:
            await trio.sleep(LOOK_SECONDS)
            living = await self._bus.living(list(self._fronts))
            now = trio.current_time()
            for name, front in list(self._fronts.items()):
                # Without Redis no front can renew its key, so none counts as disconnected.
                if living is None or name in living:
                    front.seen_at = now
                elif now >= front.seen_at + LIVES_SECONDS:
                    self._forget(name, front)
                    nursery.start_soon(self._on_gone, name)
                    # A front deletes its stream on closing; an answer may have been added since.
                    nursery.start_soon(self._bus.delete, self._bus.names.answers(name))

    def _forget(self, name: str, front: KnownFront) -> None:
        del self._fronts[name]
        self._forgotten[name] = front.replies.last
        if len(self._forgotten) > MOST_FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]
        self._answers.pop(name, None)
        for cancel in list(front.cancels.values()):
            cancel()


def _happened(logged: Logged) -> Happened:
    changes = [Changed(isinstance(one, Put), str(one.table.name), one[1]) for one in logged.changes]
    return Happened(logged.department, tuple(logged.event), changes)
