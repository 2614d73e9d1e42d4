"""A probe's answers: from the script, or the reply that the test gives."""

from __future__ import annotations

import pytest
import trio

from actors import ActorCrashed, ActorError
from actors.testing import Probe, settle
from tests.actors.counter import (
    Add,
    Asker,
    Boom,
    Counter,
    Crash,
    Nap,
    No,
    Reach,
    Refuse,
)
from tests.actors.testing.listener import AddTwice


async def test_the_next_asks_get_the_scripted_answers_in_order() -> None:
    probe = Probe(Counter)
    probe.answer(Add, 3, 4, No(why="shut"))
    probe.answer(Add, 5)
    probe.answer(Nap, "rested")
    assert await probe.ask(Add()) == 3
    assert await probe.ask(Nap(1)) == "rested"
    assert await probe.ask(Add()) == 4
    with pytest.raises(No, match="shut"):
        await probe.ask(Add())
    assert await probe.ask(Add()) == 5


async def test_an_answer_may_be_none() -> None:
    probe = Probe(Counter)
    probe.answer(Refuse, None, None)
    await probe.ask(Refuse())
    await probe.ask(Refuse())
    assert probe.unasked == ()


async def test_a_subtype_is_asked_for_as_its_base_but_its_own_script_comes_first() -> None:
    probe = Probe(Counter)
    probe.answer(Add, 1, 2)
    probe.answer(AddTwice, 10)
    assert [await probe.ask(AddTwice()) for _ in range(3)] == [10, 1, 2]


async def test_the_script_of_a_subtype_is_not_for_its_base() -> None:
    probe = Probe(Counter)
    probe.answer(AddTwice, 10)
    with trio.move_on_after(1):
        await probe.ask(Add())
    assert probe.unasked == ((AddTwice, 10),)


async def test_unused_scripted_answers_can_be_found() -> None:
    probe = Probe(Counter)
    no = No(why="shut")
    probe.answer(Add, 3, no)
    probe.answer(Nap, "rested")
    assert await probe.ask(Add()) == 3
    assert probe.unasked == ((Add, no), (Nap, "rested"))


async def test_a_refusal_and_an_error_of_the_toolkit_are_raised_as_copies() -> None:
    probe = Probe(Counter)
    for error in (No(why="shut"), ActorCrashed("Counter")):
        probe.answer(Add, error, error)
        for _ in range(2):
            with pytest.raises(type(error)) as raised:
                await probe.ask(Add())
            assert raised.value is not error
            assert vars(raised.value) == vars(error)
        assert error.__traceback__ is None


async def test_any_other_exception_is_raised_as_it_is() -> None:
    probe = Probe(Counter)
    boom = Boom()
    probe.answer(Crash, boom)
    with pytest.raises(Boom) as raised:
        await probe.ask(Crash())
    assert raised.value is boom


async def test_a_tell_uses_up_no_answer() -> None:
    probe = Probe(Counter)
    probe.answer(Add, 3)
    await probe.tell(Add(1))
    probe.tell_nowait(Add(2))
    assert probe.unasked == ((Add, 3),)


@pytest.mark.schedules
async def test_each_of_many_askers_gets_one_scripted_answer() -> None:
    probe = Probe(Counter)
    probe.answer(Add, *range(5))
    async with trio.open_nursery() as nursery:
        askers = {by: Asker(nursery, probe, Add(by)) for by in range(5)}
    in_order = [await probe.next(Add) for _ in askers]
    assert [askers[message.by].answer for message in in_order] == list(range(5))


@pytest.mark.schedules
async def test_a_scripted_answer_that_was_taken_arrives_despite_a_cancellation() -> None:
    probe = Probe(Counter)
    probe.answer(Add, 3)
    async with trio.open_nursery() as nursery:
        asker = Asker(nursery, probe, Add())
        await probe.next(Add)
        asker.cancel()
    assert asker.answer == 3


async def test_a_cancelled_task_asks_and_tells_nothing() -> None:
    probe = Probe(Counter)
    probe.answer(Add, 3)
    with trio.CancelScope() as scope:
        scope.cancel()
        await probe.ask(Add())
    with trio.CancelScope() as scope:
        scope.cancel()
        await probe.tell(Add())
    assert probe.received == ()
    assert probe.unasked == ((Add, 3),)


@pytest.mark.schedules
async def test_an_ask_without_a_script_waits_for_its_reply() -> None:
    probe = Probe(Counter)
    async with trio.open_nursery() as nursery:
        first, second = (Asker(nursery, probe, Add(by)) for by in (1, 2))
        await settle()
        probe.answer(Add, 9)
        messages = {message.by: message for message in [await probe.next(Add) for _ in range(2)]}
        assert probe.reply(messages[2], 20)
        assert probe.fail(messages[1], No(why="shut"))
        assert not second.done.is_set()
    assert second.answer == 20
    assert isinstance(first.error, No)
    assert probe.unasked == ((Add, 9),), "a script is for later asks"


async def test_a_refusal_that_an_ask_fails_with_is_a_copy() -> None:
    probe = Probe(Counter)
    no = No(why="shut")
    async with trio.open_nursery() as nursery:
        askers = [Asker(nursery, probe, Add()) for _ in range(2)]
        for _ in askers:
            assert probe.fail(await probe.next(Add), no)
    assert len({askers[0].error, askers[1].error, no}) == 3


@pytest.mark.schedules
async def test_a_cancelled_asker_leaves_at_once() -> None:
    probe = Probe(Counter)
    async with trio.open_nursery() as nursery:
        asker = Asker(nursery, probe, Reach(3))
        message = await probe.next(Reach)
        asker.cancel()
        assert not probe.reply(message, 3), "also in the pass of the cancellation"
        await asker.done.wait()
    assert asker.outcome is None
    assert probe.received == (Reach(3),)


@pytest.mark.schedules
async def test_an_answer_that_was_sent_arrives_despite_a_cancellation_in_the_same_pass() -> None:
    probe = Probe(Counter)
    async with trio.open_nursery() as nursery:
        asker = Asker(nursery, probe, Reach(3))
        assert probe.reply(await probe.next(Reach), 3)
        asker.cancel()
    assert asker.answer == 3


@pytest.mark.schedules
async def test_what_reply_says_is_what_the_asker_gets_when_both_happen_in_one_tick() -> None:
    probe = Probe(Counter)
    said: dict[int, bool] = {}

    async def reply(message: Reach) -> None:
        said[message.goal] = probe.reply(message, message.goal)
        await trio.lowlevel.checkpoint()

    async def leave(asker: Asker[int]) -> None:
        asker.cancel()
        await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        askers = {goal: Asker(nursery, probe, Reach(goal)) for goal in range(4)}
        messages = [await probe.next(Reach) for _ in askers]
        for message in messages:
            nursery.start_soon(reply, message)
            nursery.start_soon(leave, askers[message.goal])
    assert said == {goal: asker.outcome is not None for goal, asker in askers.items()}


async def test_a_message_answered_twice_is_an_error() -> None:
    probe = Probe(Counter)
    probe.answer(Add, 3)
    await probe.ask(Add())
    scripted = await probe.next(Add)
    with pytest.raises(ActorError, match="Add is answered twice"):
        probe.reply(scripted, 3)
    async with trio.open_nursery() as nursery:
        asker = Asker(nursery, probe, Add())
        message = await probe.next(Add)
        assert probe.reply(message, 4)
        with pytest.raises(ActorError, match="Add is answered twice"):
            probe.fail(message, No(why="too late"))
    assert asker.answer == 4
    assert probe.statistics().refused == 0


async def test_a_tell_has_no_asker_to_answer() -> None:
    probe = Probe(Counter)
    await probe.tell(Add())
    assert not probe.reply(await probe.next(Add), 1)


async def test_only_a_received_message_can_be_answered() -> None:
    probe = Probe(Counter)
    await probe.tell(Add(1))
    with pytest.raises(ActorError, match="Counter has received no such Add"):
        probe.reply(Add(1), 3)


async def test_an_object_that_several_ask_with_is_answered_once_for_each() -> None:
    probe = Probe(Counter)
    message = Add()
    async with trio.open_nursery() as nursery:
        leaver, stayer = (Asker(nursery, probe, message) for _ in range(2))
        await settle()
        leaver.cancel()
        assert probe.reply(message, 3), "to the ask that still waits"
        assert not probe.reply(message, 4)
        with pytest.raises(ActorError, match="answered twice"):
            probe.reply(message, 5)
    assert stayer.answer == 3
