"""A front's client of the house, with the test as the house: what it sends, and what it hears."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from gc import collect
from random import Random
from typing import Any
from weakref import ref

import msgspec
import pytest
import structlog
import trio
from trio.testing import wait_all_tasks_blocked

from actors import ActorCrashed, MailboxFull
from cafe.bus.batches import CALL, Answer, Answers, Asks, Heartbeat, Outcome
from cafe.bus.codec import decoder_of, encode, seal, unseal
from cafe.bus.house_client import (
    FORGET_SECONDS,
    MOST_OPEN,
    NO_BODY,
    REPORT_SECONDS,
    SILENT_SECONDS,
    HouseClient,
    open_house_client,
)
from cafe.bus.invoking import NOTHING
from cafe.bus.streams import LIVES_SECONDS, Names
from tests.cafe.bus.memory_bus import Memory, MemoryBus

pytestmark = pytest.mark.schedules

AT_ONCE = 0.05
"""Seconds; less than between two reports."""
NAMES = Names()
read_asks = decoder_of(Asks)


class HouseOnPaper:
    """What the test says as a house, and what one front has sent."""

    def __init__(self, memory: Memory, client: HouseClient) -> None:
        self.memory = memory
        self.client = client
        self.heard: list[str] = []
        """The houses whose heartbeats the client has taken."""
        client.on_heartbeat(lambda heartbeat: self.heard.append(heartbeat.house))

    async def lives(self, house: str = "house", term: int = 1) -> None:
        """Send a heartbeat, and wait until the client has it."""
        self.say(house, term)
        await wait_all_tasks_blocked()

    def say(self, house: str = "house", term: int = 1) -> None:
        """Send a heartbeat."""
        self.memory.add(NAMES.log, seal(encode(Heartbeat(house, term, 0.0, 0, []))))

    def answer(self, *answers: Answer, house: str = "house") -> None:
        """Send answers."""
        stream = NAMES.answers(self.client.front)
        self.memory.add(stream, seal(encode(Answers(house, list(answers)))))

    @property
    def sent(self) -> list[Asks]:
        """What the client has sent to any house."""
        return [read_asks(unseal(body)) for _, body in self.memory.streams.get(NAMES.asks, ())]

    @property
    def asked(self) -> list[int]:
        """The numbers of the asks that have come, each as often as it has."""
        return [one.number for batch in self.sent for one in batch.asks]


def answered(number: int, value: int) -> Answer:
    return Answer(number, Outcome.ANSWERED, msgspec.Raw(encode(value)))


@asynccontextmanager
async def front() -> AsyncGenerator[HouseOnPaper]:
    """Open a front on a bus of its own."""
    async with trio.open_nursery() as nursery:
        memory = Memory(Random(0))  # noqa: S311 - no secret
        async with open_house_client(MemoryBus(memory, nursery)) as client:
            await wait_all_tasks_blocked()
            yield HouseOnPaper(memory, client)
        nursery.cancel_scope.cancel()


class Asker:
    """A task that asks for a number, and can leave."""

    def __init__(self, client: HouseClient) -> None:
        self.scope = trio.CancelScope()
        self.got: int | None = None
        self.has_crashed = False
        self.late: list[int] = []
        self._client = client

    async def ask(self) -> None:
        with self.scope:
            try:
                reader = decoder_of(int)
                self.got = await self._client.ask(CALL, "brew", NO_BODY, reader, self.late.append)
            except ActorCrashed:
                self.has_crashed = True


async def asking(house: HouseOnPaper, nursery: trio.Nursery) -> Asker:
    """Start an asker, and wait until its ask was sent."""
    asker = Asker(house.client)
    nursery.start_soon(asker.ask)
    await trio.sleep(AT_ONCE)
    return asker


async def test_what_was_committed_is_heard_before_an_answer_that_came_first() -> None:
    async with front() as house, trio.open_nursery() as nursery:
        await house.lives()
        asker = await asking(house, nursery)
        asker.scope.cancel()
        await trio.sleep(AT_ONCE)
        seen: list[list[int]] = []
        house.client.on_heartbeat(lambda _: seen.append([*asker.late]))
        house.answer(answered(1, 5))
        house.say()
        await wait_all_tasks_blocked()
        assert (seen, asker.late) == ([[]], [5])


async def test_a_house_of_a_lower_term_is_not_heard_while_the_other_lives() -> None:
    async with front() as house, trio.open_nursery() as nursery:
        await house.lives("new", term=7)
        asker = await asking(house, nursery)
        for _ in range(round(2 * FORGET_SECONDS)):
            await house.lives("old", term=6)
            await house.lives("new", term=7)
            await trio.sleep(1.0)
        house.answer(answered(1, 4), house="old")
        await trio.sleep(AT_ONCE)
        assert set(house.heard) == {"new"}
        assert asker.got is None
        house.answer(answered(1, 5), house="new")
        await trio.sleep(AT_ONCE)
        assert asker.got == 5


async def test_a_house_of_a_lower_term_is_logged_once() -> None:
    with structlog.testing.capture_logs() as lines:
        async with front() as house:
            await house.lives("new", term=7)
            for _ in range(3):
                await house.lives("old", term=6)
    ignored = [line for line in lines if line["event"] == "house ignored"]
    assert [(line["house"], line["term"]) for line in ignored] == [("old", 6)]


async def test_a_house_of_a_lower_term_is_heard_once_the_other_was_silent_for_long() -> None:
    async with front() as house:
        await house.lives("before", term=7)
        await trio.sleep(0.9 * FORGET_SECONDS)
        await house.lives("restored", term=2)
        assert house.heard == ["before"]
        await trio.sleep(0.2 * FORGET_SECONDS)
        await house.lives("restored", term=2)
        await house.lives("next", term=3)
        assert house.heard == ["before", "restored", "next"]


async def test_only_a_house_that_follows_another_is_a_new_one() -> None:
    async with front() as house:
        news: list[None] = []

        async def note() -> None:
            await trio.lowlevel.checkpoint()
            news.append(None)

        house.client.on_new_house(note)
        await house.lives("first", term=1)
        await house.lives("first", term=1)
        assert not news
        await house.lives("second", term=2)
        assert news == [None]


async def test_an_answer_that_comes_after_its_asker_left_is_given_to_the_callback() -> None:
    async with front() as house, trio.open_nursery() as nursery:
        await house.lives()
        answers = (answered(1, 5), Answer(2, Outcome.CANCELLED, NOTHING))
        askers = [await asking(house, nursery) for _ in answers]
        for asker in askers:
            asker.scope.cancel()
        await trio.sleep(AT_ONCE)
        house.answer(*answers)
        house.answer(*answers)
        await trio.sleep(AT_ONCE)
        assert [asker.late for asker in askers] == [[5], []]
        assert [asker.got for asker in askers] == [None, None]
        assert house.client.open == 0


async def test_an_answer_that_comes_in_time_is_given_to_its_asker_only() -> None:
    async with front() as house, trio.open_nursery() as nursery:
        await house.lives()
        asker = await asking(house, nursery)
        house.answer(answered(1, 5))
        await trio.sleep(AT_ONCE)
        assert (asker.got, asker.late) == (5, [])


async def test_an_answer_that_comes_as_its_asker_leaves_is_given_to_the_callback() -> None:
    async with front() as house, trio.open_nursery() as nursery:
        await house.lives()
        leaving = Asker(house.client)

        def leave(_answer: int) -> None:
            leaving.scope.cancel()

        with trio.move_on_after(AT_ONCE):
            await house.client.ask(CALL, "brew", NO_BODY, decoder_of(int), leave)
        nursery.start_soon(leaving.ask)
        await trio.sleep(AT_ONCE)
        house.answer(answered(1, 4), answered(2, 5))
        await trio.sleep(AT_ONCE)
        assert (leaving.got, leaving.late) == (None, [5])


async def test_an_ask_that_was_cancelled_in_the_house_has_crashed() -> None:
    async with front() as house, trio.open_nursery() as nursery:
        await house.lives()
        asker = await asking(house, nursery)
        house.answer(Answer(1, Outcome.CANCELLED, NOTHING))
        await trio.sleep(AT_ONCE)
        assert asker.has_crashed


async def test_a_cancel_is_sent_at_once() -> None:
    async with front() as house, trio.open_nursery() as nursery:
        await house.lives()
        asker = await asking(house, nursery)
        asker.scope.cancel()
        await trio.sleep(AT_ONCE)
        assert house.sent[-1].cancelled == [1]


async def test_what_the_house_does_not_know_is_sent_again_at_once() -> None:
    async with front() as house, trio.open_nursery() as nursery:
        await house.lives()
        await asking(house, nursery)
        house.answer(Answer(1, Outcome.UNKNOWN, NOTHING))
        await trio.sleep(AT_ONCE)
        assert house.asked == [1, 1]
        nursery.cancel_scope.cancel()


async def test_an_ask_whose_asker_left_before_there_was_a_house_is_forgotten() -> None:
    class Reader:
        """Reads an answer; a weak reference to it is possible."""

        def __call__(self, body: Any) -> Any:
            return body

    async with front() as house:
        reader = Reader()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(house.client.ask, CALL, "brew", NO_BODY, reader)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        is_kept = ref(reader)
        del reader
        collect()  # exceptions and their tracebacks
        assert is_kept() is None
        assert house.client.open == 0
        await house.lives()
        await trio.sleep(1.0)
        assert house.sent == []


async def test_a_front_that_has_nothing_open_sends_nothing_but_that_it_lives() -> None:
    async with front() as house, trio.open_nursery() as nursery:
        await house.lives()
        await asking(house, nursery)
        house.answer(answered(1, 5))
        await trio.sleep(2 * REPORT_SECONDS)
        before, seconds_left = len(house.sent), list[float]()
        for _ in range(round(4 * LIVES_SECONDS)):
            await trio.sleep(1.0)
            expiry = house.memory.expiry[NAMES.front(house.client.front)]
            seconds_left.append(expiry - trio.current_time())
        assert len(house.sent) == before
        assert 0.5 * LIVES_SECONDS < min(seconds_left) < LIVES_SECONDS - REPORT_SECONDS


async def test_what_is_open_is_reported_again_and_again() -> None:
    async with front() as house, trio.open_nursery() as nursery:
        await house.lives()
        await asking(house, nursery)
        before = len(house.sent)
        await trio.sleep(4 * REPORT_SECONDS)
        reports = [one.open for one in house.sent[before:]]
        assert len(reports) in (3, 4, 5)
        assert all(one is not None and one.numbers == [1] for one in reports)
        nursery.cancel_scope.cancel()


async def test_a_house_that_is_silent_is_away() -> None:
    async with front() as house:
        assert not house.client.has_house
        await house.lives()
        await trio.sleep(0.9 * SILENT_SECONDS)
        assert house.client.has_house
        await trio.sleep(0.2 * SILENT_SECONDS)
        assert not house.client.has_house


async def test_a_message_that_is_not_to_wait_is_refused_where_too_much_is_open() -> None:
    async with front() as house:
        for _ in range(MOST_OPEN):
            house.client.tell_nowait("Dispatcher", "HangUp", NO_BODY)
        with pytest.raises(MailboxFull):
            house.client.tell_nowait("Dispatcher", "HangUp", NO_BODY)


async def test_a_front_that_closes_leaves_no_key_and_no_stream() -> None:
    async with front() as house:
        await house.lives()
        house.answer(answered(1, 5))
        await trio.sleep(1.0)
        client, memory = house.client, house.memory
        assert NAMES.front(client.front) in memory.expiry
    assert NAMES.front(client.front) not in memory.expiry
    assert NAMES.answers(client.front) not in memory.streams
