"""A posted ask has the outcomes of an ask, without a task: each once, or none after its cancel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import outcome
import pytest
import trio

from actors import (
    Actor,
    ActorCrashed,
    ActorError,
    ActorStopped,
    MailboxFull,
    Message,
    Ref,
    Refusal,
    Reply,
    open_system,
)
from actors.testing import Probe, settle

pytestmark = pytest.mark.schedules


class TooMuchError(Refusal):
    """A refusal."""


@dataclass(frozen=True, slots=True)
class Add(Message["Counter", int]):
    """Add, and answer with the sum."""

    by: int = 1


@dataclass(frozen=True, slots=True)
class Crash(Message["Counter", int]):
    """Crash."""


@dataclass(frozen=True, slots=True)
class Keep(Message["Counter", int]):
    """Keep the reply."""


@dataclass(frozen=True, slots=True)
class AnswerKept(Message["Counter", int]):
    """Answer all kept replies; return the number of askers that got an answer."""


@dataclass(frozen=True, slots=True)
class Rest(Message["Counter", int]):
    """Wait for a second."""


@dataclass(frozen=True, slots=True)
class Alien(Message["Stranger", int]):
    """A message of another actor."""


class Stranger(Actor):
    """Another actor."""


class Counter(Actor):
    """Counts."""

    def __init__(self) -> None:
        self.total = 0
        self.kept: list[Reply[int]] = []
        self.abandoned = 0
        self.rested = 0

    @Add.handler
    def add(self, message: Add) -> int:
        if self.total + message.by > 100:
            raise TooMuchError
        self.total += message.by
        return self.total

    @Crash.handler
    def crash(self, _message: Crash) -> int:
        raise ValueError("a bug")

    @Keep.deferred
    def keep(self, _message: Keep, reply: Reply[int]) -> None:
        self.kept.append(reply)
        reply.on_abandoned(self.count_abandoned)

    def count_abandoned(self) -> None:
        self.abandoned += 1

    @AnswerKept.handler
    def answer_kept(self, _message: AnswerKept) -> int:
        kept, self.kept = self.kept, []
        return sum(reply.send(self.abandoned) for reply in kept)

    @Rest.handler
    async def rest(self, _message: Rest) -> int:
        try:
            await trio.sleep(1)
        finally:
            self.rested += 1
        return self.rested


Outcomes = list[Any]


async def until(outcomes: Outcomes, number: int) -> None:
    """Wait for this many outcomes."""
    with trio.fail_after(10):
        while len(outcomes) < number:  # noqa: ASYNC110 - the callback is the test's list
            await trio.sleep(0.01)


async def test_each_answer_goes_to_its_callback_in_the_order_of_the_messages() -> None:
    outcomes: Outcomes = []
    async with open_system() as system:
        counter = await system.start(Counter)
        for _ in range(5):
            counter.post(Add(), outcomes.append)
        await until(outcomes, 5)
    assert outcomes == [outcome.Value(number) for number in range(1, 6)]


async def test_a_refusal_and_a_crash_are_outcomes_too() -> None:
    outcomes: Outcomes = []
    async with open_system() as system:
        counter = await system.start(Counter)
        counter.post(Add(101), outcomes.append)
        counter.post(Crash(), outcomes.append)
        counter.post(Add(2), outcomes.append)
        await until(outcomes, 3)
    assert isinstance(outcomes[0].error, TooMuchError)
    assert isinstance(outcomes[1].error, ActorCrashed)
    assert isinstance(outcomes[1].error.__cause__, ValueError)
    assert outcomes[2] == outcome.Value(2)


async def test_a_kept_reply_answers_it_and_a_crash_before_that_fails_it() -> None:
    outcomes: Outcomes = []
    async with open_system() as system:
        counter = await system.start(Counter)
        counter.post(Keep(), outcomes.append)
        assert await counter.ask(AnswerKept()) == 1
        counter.post(Keep(), outcomes.append)
        counter.post(Crash(), outcomes.append)
        await until(outcomes, 3)
    assert outcomes[0] == outcome.Value(0)
    assert [type(one.error) for one in outcomes[1:]] == [ActorCrashed, ActorCrashed]


async def test_cancelled_while_it_is_queued_it_never_runs() -> None:
    outcomes: Outcomes = []
    async with open_system() as system:
        counter = await system.start(Counter)
        cancel = counter.post(Add(), outcomes.append)
        cancel()
        assert await counter.ask(Add(3)) == 3
        assert counter.statistics().skipped == 1
    assert outcomes == []


async def test_cancelled_while_its_reply_is_kept_it_is_abandoned_and_send_tells() -> None:
    outcomes: Outcomes = []
    async with open_system() as system:
        counter = await system.start(Counter)
        cancel = counter.post(Keep(), outcomes.append)
        other = counter.post(Keep(), outcomes.append)
        await counter.ask(Add())  # both are kept
        cancel()
        cancel()
        assert await counter.ask(AnswerKept()) == 1
        other()
    assert outcomes == [outcome.Value(1)]


async def test_cancelled_while_an_async_handler_runs_that_is_cancelled_too() -> None:
    outcomes: Outcomes = []
    async with open_system() as system:
        counter = await system.start(Counter)
        cancel = counter.post(Rest(), outcomes.append)
        await trio.sleep(0.1)
        cancel()
        with trio.fail_after(0.5):
            assert await counter.ask(Add()) == 1
        assert await counter.ask(Rest()) == 2
    assert outcomes == []


async def test_an_async_handler_that_is_not_cancelled_answers() -> None:
    outcomes: Outcomes = []
    async with open_system() as system:
        counter = await system.start(Counter)
        counter.post(Rest(), outcomes.append)
        await until(outcomes, 1)
    assert outcomes == [outcome.Value(1)]


async def test_an_actor_that_stops_fails_what_it_does_not_answer() -> None:
    outcomes: Outcomes = []
    async with open_system() as system:
        counter = await system.start(Counter)
        counter.post(Keep(), outcomes.append)
        counter.stop()
        await counter.wait_stopped()
        with pytest.raises(ActorStopped):
            counter.post(Add(), outcomes.append)
    assert [type(one.error) for one in outcomes] == [ActorStopped]


async def test_a_full_mailbox_and_a_message_of_another_actor_are_refused_at_once() -> None:
    outcomes: Outcomes = []
    async with open_system() as system:
        counter = await system.start(Counter, mailbox=1)
        counter.post(Add(), outcomes.append)
        with pytest.raises(MailboxFull):
            counter.post(Add(), outcomes.append)
        stranger: Ref[Any] = counter
        with pytest.raises(ActorError, match="Counter has no handler for Alien"):
            stranger.post(Alien(), outcomes.append)
        await until(outcomes, 1)
    assert outcomes == [outcome.Value(1)]


async def test_a_probe_plays_its_script_and_keeps_the_rest_for_the_test() -> None:
    outcomes: Outcomes = []
    probe = Probe(Counter)
    probe.answer(Add, 7, TooMuchError())
    probe.post(Add(), outcomes.append)
    probe.post(Add(), outcomes.append)
    waiting = Add(3)
    cancelled = probe.post(Add(2), outcomes.append)
    probe.post(waiting, outcomes.append)
    cancelled()
    await settle()
    assert len(outcomes) == 2
    assert probe.reply(waiting, 10)
    assert outcomes[0] == outcome.Value(7)
    assert isinstance(outcomes[1].error, TooMuchError)
    assert outcomes[2] == outcome.Value(10)
    assert list(probe.received) == [Add(), Add(), Add(2), Add(3)]


def test_a_ref_names_the_messages_that_its_actor_handles() -> None:
    assert Probe(Counter).messages == {Add, Crash, Keep, AnswerKept, Rest}
