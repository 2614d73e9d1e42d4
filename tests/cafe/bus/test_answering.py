"""A house's end of the bus, with the test as the fronts: what it begins, cancels and answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, cast

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from cafe.bus.answering import DRAIN_SECONDS, HEARTBEAT_SECONDS, MOST_EVENTS, Answering
from cafe.bus.batches import CALL, Answer, Answers, Ask, Asks, Heartbeat, Open, Outcome
from cafe.bus.codec import decoder_of, encode, seal, unseal
from cafe.bus.house_client import NO_BODY
from cafe.bus.invoking import askable_of
from cafe.bus.streams import LIVES_SECONDS, Names
from cafe.ledger.department import Event, Logged
from cafe.ledger.ledger import LedgerStatistics
from tests.cafe.bus.memory_bus import Memory, MemoryBus

pytestmark = pytest.mark.schedules

AT_ONCE = 0.05
"""Seconds; less than a house leaves between two heartbeats."""
NAMES = Names()
read_answers = decoder_of(Answers)
read_heartbeat = decoder_of(Heartbeat)


class LedgerOnPaper:
    """A ledger in which the test commits."""

    def __init__(self) -> None:
        self.position = 0
        self._callbacks: list[Callable[[Sequence[Logged]], None]] = []

    def now(self) -> float:
        return trio.current_time()

    def listen(self, callback: Callable[[Sequence[Logged]], None]) -> None:
        self._callbacks.append(callback)

    def statistics(self) -> LedgerStatistics:
        return LedgerStatistics(0, 0, 0, self.position)

    def commit(self, events: int = 1) -> None:
        first = self.position + 1
        self.position += events
        event = Event("x", "brew", None, "ready", 0.0)
        logged = [Logged(one, "orders", event) for one in range(first, self.position + 1)]
        for callback in self._callbacks:
            callback(logged)


class House:
    """A house that fronts of the test ask; what it offers takes as long as the test says."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.memory = Memory(Random(0))  # noqa: S311 - no secret
        self.ledger = LedgerOnPaper()
        self.gone: list[tuple[str, float]] = []
        """Fronts that have gone, and when."""
        self.begun = 0
        self.ended: list[str] = []
        """How calls that have begun have ended."""
        self.released = trio.Event()
        """Ends calls that cannot be cancelled."""
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "at once": self._at_once,
            "commit": self._commit,
            "never": self._never,
            "shielded": self._shielded,
            "soon": self._soon,
        }
        bus = MemoryBus(self.memory, nursery)
        ledger = cast("Any", self.ledger)
        self.answering = Answering(bus, lambda: 1, askable_of((), (), calls), ledger, self._forget)
        nursery.start_soon(self.answering.run)

    async def _forget(self, front: str) -> None:
        self.gone.append((front, trio.current_time()))

    async def _at_once(self) -> int:
        self.begun += 1
        return self.begun

    async def _commit(self) -> int:
        self.ledger.commit(2)
        return self.ledger.position

    async def _never(self) -> None:
        self.begun += 1
        try:
            await trio.sleep_forever()
        finally:
            self.ended.append("cancelled")

    async def _shielded(self) -> int:
        self.begun += 1
        with trio.CancelScope(shield=True):
            await self.released.wait()
        self.ended.append("returned")
        return 1

    async def _soon(self) -> int:
        await trio.sleep(0.9 * DRAIN_SECONDS)
        return 1

    @property
    def heartbeats(self) -> list[Heartbeat]:
        """What it has said to all fronts."""
        return [read_heartbeat(unseal(body)) for _, body in self.memory.streams[NAMES.log]]

    def answers(self, front: str = "front") -> list[Answer]:
        """Return what it has sent to a front."""
        bodies = self.memory.streams.get(NAMES.answers(front), ())
        return [one for _, body in bodies for one in read_answers(unseal(body)).answers]

    async def take(
        self,
        *calls: str,
        first: int = 1,
        of: str = CALL,
        cancelled: Sequence[int] = (),
        opened: Open | None = None,
        house: str | None = None,
        front: str = "front",
    ) -> None:
        """Send a batch of calls, and wait until all that is answered at once is answered."""
        asks = [Ask(first + at, of, name, msgspec.Raw(NO_BODY)) for at, name in enumerate(calls)]
        to = house or self.heartbeats[-1].house
        batch = Asks(to, front, asks, list(cancelled), opened)
        self.memory.add(NAMES.asks, seal(encode(batch)))
        await trio.sleep(AT_ONCE)

    def renew(self) -> None:
        """Say that the front lives."""
        self.memory.expiry[NAMES.front("front")] = trio.current_time() + LIVES_SECONDS


@asynccontextmanager
async def open_house() -> AsyncGenerator[House]:
    """Open a house that has said that it is there."""
    async with trio.open_nursery() as nursery:
        house = House(nursery)
        await wait_all_tasks_blocked()
        try:
            yield house
        finally:
            house.released.set()
        nursery.cancel_scope.cancel()


def outcomes(answers: Sequence[Answer]) -> list[tuple[int, Outcome]]:
    return [(one.number, one.outcome) for one in answers]


async def test_what_was_committed_goes_before_the_answers_that_rest_on_it() -> None:
    async with open_house() as house:
        await house.take("commit")
        [(log, _)] = house.memory.streams[NAMES.log][1:]
        [(answer, _)] = house.memory.streams[NAMES.answers("front")]
        assert log < answer
        assert (house.heartbeats[-1].position, len(house.heartbeats[-1].events)) == (2, 2)


async def test_too_many_events_that_wait_are_dropped_and_leave_a_gap() -> None:
    async with open_house() as house:
        house.ledger.commit(MOST_EVENTS + 1)
        house.ledger.commit()
        await trio.sleep(AT_ONCE)
        said = house.heartbeats[-1]
        assert (said.position, len(said.events)) == (MOST_EVENTS + 2, 1)


async def test_a_house_that_commits_nothing_says_each_second_that_it_is_there() -> None:
    async with open_house() as house:
        await trio.sleep(10.5 * HEARTBEAT_SECONDS)
        assert len(house.heartbeats) in (10, 11)


async def test_an_ask_of_another_house_is_not_begun() -> None:
    async with open_house() as house:
        await house.take("at once", house="the one before")
        assert (house.begun, house.answers()) == (0, [])


async def test_a_cancelled_ask_is_ended_and_answered_once() -> None:
    async with open_house() as house:
        await house.take("never", "shielded")
        await house.take(cancelled=[1, 2])
        assert house.ended == ["cancelled"]
        house.released.set()
        await trio.sleep(AT_ONCE)
        assert house.ended == ["cancelled", "returned"]
        assert outcomes(house.answers()) == [(1, Outcome.CANCELLED), (2, Outcome.CANCELLED)]


async def test_an_ask_whose_cancel_has_overtaken_it_is_answered_and_not_begun() -> None:
    async with open_house() as house:
        await house.take(cancelled=[1])
        await house.take("at once")
        assert house.begun == 0
        assert outcomes(house.answers()) == [(1, Outcome.CANCELLED)]


async def test_a_report_brings_back_what_was_lost_and_ends_what_no_one_waits_for() -> None:
    async with open_house() as house:
        await house.take("at once", "never")
        await house.take(opened=Open(3, [1, 2, 3]))
        assert outcomes(house.answers()) == [(1, Outcome.ANSWERED), (3, Outcome.UNKNOWN)]
        await house.take(opened=Open(3, [1, 3]))
        assert house.ended == ["cancelled"]
        assert outcomes(house.answers())[2:] == [
            (3, Outcome.UNKNOWN),
            (1, Outcome.ANSWERED),
            (2, Outcome.CANCELLED),
        ]


async def test_a_front_is_gone_when_it_neither_renewed_its_key_nor_asked_for_long() -> None:
    async with open_house() as house:
        for number in range(1, round(2 * LIVES_SECONDS)):
            await house.take("at once", first=number)
            await trio.sleep(1.0)
        asked_at = trio.current_time() - 1.0
        house.renew()
        await trio.sleep(LIVES_SECONDS)
        assert (house.gone, house.answering.fronts) == ([], 1)
        await trio.sleep(2 * LIVES_SECONDS)
        [(front, at)] = house.gone
        assert (front, house.answering.fronts) == ("front", 0)
        assert at > asked_at + 1.5 * LIVES_SECONDS


@pytest.mark.parametrize(
    ("front", "outcome"),
    [("first", Outcome.UNKNOWN), ("second", Outcome.CRASHED), ("third", Outcome.CRASHED)],
)
async def test_of_the_fronts_that_have_gone_the_newest_are_known_if_they_come_back(
    front: str, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cafe.bus.answering.MOST_FORGOTTEN", 2)
    async with open_house() as house:
        for name in ("first", "second", "third"):
            await house.take("at once", front=name)
            await trio.sleep(3 * LIVES_SECONDS)
        assert [name for name, _ in house.gone] == ["first", "second", "third"]
        await house.take(opened=Open(1, [1]), front=front)
        assert outcomes(house.answers(front)) == [(1, outcome)]


async def test_without_redis_no_front_is_taken_for_gone() -> None:
    async with open_house() as house:
        await house.take("at once")
        house.memory.is_gone = True
        await trio.sleep(4 * LIVES_SECONDS)
        assert house.gone == []
        house.memory.is_gone = False
        house.renew()
        await trio.sleep(0.9 * LIVES_SECONDS)
        assert house.gone == []


async def test_what_a_front_that_has_gone_asked_for_is_cancelled_and_not_answered() -> None:
    async with open_house() as house:
        await house.take("at once", "never", "shielded")
        await house.take("StartOrder", first=4, of="an actor that it does not have")
        assert outcomes(house.answers()) == [(1, Outcome.ANSWERED), (4, Outcome.CRASHED)]
        await trio.sleep(2 * LIVES_SECONDS)
        assert [front for front, _ in house.gone] == ["front"]
        assert house.ended == ["cancelled"]
        house.released.set()
        await trio.sleep(AT_ONCE)
        assert house.ended == ["cancelled", "returned"]
        assert NAMES.answers("front") not in house.memory.streams


async def test_before_a_shutdown_what_is_under_way_is_answered_and_nothing_is_begun() -> None:
    async with open_house() as house:
        await house.take("soon", "never")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(house.answering.drain)
            await wait_all_tasks_blocked()
            await house.take("at once", first=3)
        assert house.begun == 1  # the one that never ends
        assert outcomes(house.answers()) == [(1, Outcome.ANSWERED)]


async def test_in_a_rush_answers_gather() -> None:
    async with open_house() as house:
        for number in range(1, 2_001):
            batch = Asks(
                house.heartbeats[-1].house,
                "front",
                [Ask(number, CALL, "at once", msgspec.Raw(NO_BODY))],
                [],
            )
            house.memory.add(NAMES.asks, seal(encode(batch)))
            await trio.sleep(0.0005)
        await trio.sleep(AT_ONCE)
        assert len(house.answers()) == 2_000
        assert len(house.memory.streams[NAMES.answers("front")]) < 300
