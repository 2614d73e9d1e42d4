"""Rule 9: instruments are told what happens to messages, each in its order."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors import ActorStopped, Message, Ref, open_system
from actors.testing import settle
from tests.actors.counter import Abandon, Add, Asker, Counter, Crash, Nap, No, Reach, Refuse
from tests.actors.recorder import WHOLE, Recorder
from tests.actors.replies import Keeper, Take

pytestmark = pytest.mark.schedules


async def test_a_plain_message_is_enqueued_started_and_finished() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        await counter.ask(Add())
        assert seen.lines == ["counter enqueued Add", "counter started Add", "counter finished Add"]
        counter.tell_nowait(Add())
        await settle()
        assert seen.of("Add") == WHOLE * 2


async def test_an_async_handler_is_finished_when_it_ends() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, name="counter")
        Asker(nursery, counter, Nap(5))
        await trio.sleep(1)
        Asker(nursery, counter, Add())
        await trio.sleep(3)
        assert seen.lines == ["counter enqueued Nap", "counter started Nap", "counter enqueued Add"]
        await trio.sleep(2)
        assert seen.lines[3:] == [
            "counter finished Nap",
            "counter started Add",
            "counter finished Add",
        ]


async def test_a_deferred_message_is_finished_before_it_is_answered() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, name="counter")
        asker = Asker(nursery, counter, Reach(1))
        await settle()
        assert (asker.outcome, seen.of("Reach")) == (None, WHOLE)
        await counter.ask(Add())
    assert (asker.answer, seen.of("Reach"), seen.of("Add")) == (1, WHOLE, WHOLE)


async def test_a_kept_reply_that_is_refused_tells_of_its_message_after_its_end() -> None:
    seen, kept = Recorder(), list[Keeper]()
    async with open_system(instruments=[seen]) as system, trio.open_nursery() as nursery:

        def make() -> Keeper:
            kept.append(Keeper())
            return kept[-1]

        keeper = await system.start(make, name="keeper")
        Asker(nursery, keeper, Take())
        await settle()
        kept[0].kept.pop().fail(No(why="sold out"))
    assert seen.of("Take") == [*WHOLE, "refused"]
    assert [str(cause) for cause in seen.causes] == ["no: sold out"]


async def test_a_refusal_is_told_before_the_end() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        with pytest.raises(No):
            await counter.ask(Refuse())
    assert seen.of("Refuse") == ["enqueued", "started", "refused", "finished"]
    assert [str(cause) for cause in seen.causes] == ["no: not today"]


async def test_a_message_that_was_told_is_enqueued_before_it_is_started() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        await settle()
        await counter.tell(Add())
        await settle()
    assert seen.of("Add") == WHOLE


@pytest.mark.parametrize("how", ["ask", "tell"])
async def test_a_message_that_waited_for_room_is_enqueued_once(how: str) -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, name="counter", mailbox=1)
        counter.tell_nowait(Nap(5))
        await settle()
        counter.tell_nowait(Refuse())
        nursery.start_soon(getattr(counter, how), Add())
        await trio.sleep(4)
        assert seen.of("Add") == []
    # By its sender, who may run later than the actor.
    assert sorted(seen.of("Add")) == sorted(WHOLE)
    assert [event for event in seen.of("Add") if event != "enqueued"] == ["started", "finished"]


async def test_a_message_whose_asker_has_gone_is_never_started() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, name="counter")
        await counter.tell(Nap(5))
        asker = Asker(nursery, counter, Add())
        await settle()
        asker.cancel()
    assert seen.of("Add") == ["enqueued"]


async def test_a_message_that_does_not_get_in_is_not_enqueued() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        counter.stop()
        for send in (counter.ask, counter.tell):
            with pytest.raises(ActorStopped):
                await send(Add())
        with pytest.raises(ActorStopped):
            counter.tell_nowait(Add())
    assert seen.lines == []


async def finish(counter: Ref[Counter], nursery: trio.Nursery, message: Message[Any, Any]) -> None:
    """Have a message end, in whatever way."""
    asker = Asker(nursery, counter, message, within=3)
    await trio.sleep(1)
    asker.cancel()


@pytest.mark.parametrize(
    "message", [Add(), Reach(9), Nap(0), Nap(2), Nap(9), Nap(9, cleanup=1), Refuse(), Crash()]
)
async def test_each_that_is_started_is_finished_once(message: Message[Counter, Any]) -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, name="counter")
        await finish(counter, nursery, message)
    name = type(message).__name__
    assert [event for event in seen.of(name) if event in WHOLE] == WHOLE
    assert seen.of(name)[-1] == "finished"


async def test_a_handler_that_is_cut_short_by_the_end_is_finished() -> None:
    seen = Recorder()
    async with open_system(grace=1, instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        counter.tell_nowait(Nap(9))
        counter.tell_nowait(Add())
        await settle()
    assert seen.of("Nap") == WHOLE
    assert seen.of("Add") == ["enqueued"]


async def test_a_handler_in_which_its_asker_goes_is_finished_after_it() -> None:
    seen, scope = Recorder(), trio.CancelScope()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        with scope:
            await counter.ask(Abandon(scope))
        await settle()
    assert seen.of("Abandon") == WHOLE
