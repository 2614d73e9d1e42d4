"""Rule 6: a duty to answer is settled once, and by somebody."""

from __future__ import annotations

import gc
from functools import partial

import pytest
import trio

from actors import ActorCrashed, ActorError, open_system
from actors.testing import settle
from tests.actors.counter import Add, Asker, Counter, No, Reach
from tests.actors.replies import (
    AnswerTwice,
    Broker,
    Clerk,
    Delegate,
    Eager,
    Forget,
    KeepAndBreak,
    Keeper,
    Take,
)


@pytest.mark.schedules
async def test_answering_twice_raises_at_the_culprit() -> None:
    async with open_system() as system:
        ref = await system.start(Eager)
        assert await ref.ask(AnswerTwice()) == 1
        assert ref.statistics().crashed == 1


@pytest.mark.schedules
async def test_answering_somebody_who_has_gone_twice_raises_too() -> None:
    keeper = Keeper()
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(lambda: keeper)
        asker = Asker(nursery, ref, Take())
        await settle()
        asker.cancel()
        (reply,) = keeper.kept
        assert reply.send(1) is False
        with pytest.raises(ActorError, match="Take is answered twice"):
            reply.fail(KeyError())
        with pytest.raises(ActorError, match="Take is answered twice"):
            reply.fail(No(why="too late"))
        assert ref.statistics().refused == 0


@pytest.mark.schedules
async def test_a_reply_that_nobody_keeps_fails_its_asker() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(Keeper, name="keeper")
        asker = Asker(nursery, ref, Take())
        await settle()
        await ref.ask(Forget())
        await asker.done.wait()
        assert str(asker.error) == "Keeper dropped its reply to Take"


async def test_a_reply_is_found_dropped_though_its_callback_holds_it() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(partial(Keeper, cyclic=True))
        asker = Asker(nursery, ref, Take())
        await settle()
        await ref.ask(Forget())
        # Collected by another thread, as may happen while one reads the disk.
        await trio.to_thread.run_sync(gc.collect)
        await asker.done.wait()
        assert isinstance(asker.error, ActorError)


@pytest.mark.schedules
async def test_a_reply_may_be_given_to_another_actor() -> None:
    async with open_system() as system:
        clerk = await system.start(Clerk)
        broker = await system.start(partial(Broker, clerk))
        assert await broker.ask(Delegate()) == 41


@pytest.mark.schedules
async def test_a_told_message_has_nobody_to_hear_its_reply() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal))
        await counter.tell(Reach(1))
        await counter.ask(Add())
        assert journal == ["start", "add 1", "reached 1: False"]


@pytest.mark.schedules
async def test_a_told_message_can_be_refused_with_no_effect() -> None:
    keeper = Keeper()
    async with open_system() as system:
        ref = await system.start(lambda: keeper)
        await ref.tell(Take())
        await settle()
        assert keeper.kept[0].fail(No(why="nobody")) is False


@pytest.mark.schedules
async def test_an_answer_to_a_crash_is_the_crash() -> None:
    async with open_system() as system:
        ref = await system.start(Eager)
        with pytest.raises(ActorCrashed):
            await ref.ask(KeepAndBreak())
