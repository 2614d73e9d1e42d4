"""Rule 9: instruments get the events of each message, in order."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from actors import ActorStopped, Instrument, Message, Ref, open_system
from actors.testing import settle
from tests.actors.clock import Clock, Do, Sleep
from tests.actors.counter import Abandon, Add, Asker, Counter, Crash, Nap, No, Reach, Refuse
from tests.actors.recorder import WHOLE, Recorder
from tests.actors.replies import Keeper, Take


@pytest.mark.schedules
async def test_a_plain_message_is_enqueued_started_and_finished() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        await counter.ask(Add())
        assert seen.lines == ["counter enqueued Add", "counter started Add", "counter finished Add"]
        counter.tell_nowait(Add())
        await settle()
        assert seen.of("Add") == WHOLE * 2


@pytest.mark.schedules
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


@pytest.mark.schedules
async def test_timers_that_an_async_handler_kept_waiting_run_after_its_end() -> None:
    seen = Recorder()

    def set_timer(clock: Clock) -> None:
        clock.after(1, lambda: seen.lines.append("rings"))

    async with open_system(instruments=[seen]) as system:
        clock = await system.start(partial(Clock, []), name="clock")
        await clock.ask(Do(set_timer))
        await clock.ask(Sleep(2))
        await settle()
    assert seen.lines[-2:] == ["clock finished Sleep", "rings"]


@pytest.mark.schedules
async def test_a_deferred_message_is_finished_before_it_is_answered() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, name="counter")
        asker = Asker(nursery, counter, Reach(1))
        await settle()
        assert (asker.outcome, seen.of("Reach")) == (None, WHOLE)
        await counter.ask(Add())
    assert (asker.answer, seen.of("Reach"), seen.of("Add")) == (1, WHOLE, WHOLE)


@pytest.mark.schedules
async def test_a_kept_reply_that_is_refused_is_reported_with_its_message_after_its_end() -> None:
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


@pytest.mark.schedules
async def test_a_refusal_is_reported_before_the_end() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        with pytest.raises(No):
            await counter.ask(Refuse())
    assert seen.of("Refuse") == ["enqueued", "started", "refused", "finished"]
    assert [str(cause) for cause in seen.causes] == ["no: not today"]


@pytest.mark.schedules
async def test_a_message_that_was_told_is_enqueued_before_it_is_started() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        await settle()
        await counter.tell(Add())
        await settle()
    assert seen.of("Add") == WHOLE


@pytest.mark.schedules
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
    # Reported by its sender, which may run later than the actor.
    assert sorted(seen.of("Add")) == sorted(WHOLE)
    assert [event for event in seen.of("Add") if event != "enqueued"] == ["started", "finished"]


@pytest.mark.schedules
async def test_a_message_whose_ask_was_cancelled_is_never_started() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, name="counter")
        await counter.tell(Nap(5))
        asker = Asker(nursery, counter, Add())
        await settle()
        asker.cancel()
    assert seen.of("Add") == ["enqueued"]


@pytest.mark.schedules
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
    """End a message in a given way."""
    asker = Asker(nursery, counter, message, within=3)
    await trio.sleep(1)
    asker.cancel()


@pytest.mark.schedules
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


@pytest.mark.schedules
async def test_a_handler_that_is_cancelled_by_the_end_is_finished() -> None:
    seen = Recorder()
    async with open_system(grace=1, instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        counter.tell_nowait(Nap(9))
        counter.tell_nowait(Add())
        await settle()
    assert seen.of("Nap") == WHOLE
    assert seen.of("Add") == ["enqueued"]


@pytest.mark.schedules
async def test_a_handler_that_cancels_its_asker_is_finished_after_it() -> None:
    seen, scope = Recorder(), trio.CancelScope()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        with scope:
            await counter.ask(Abandon(scope))
        await settle()
    assert seen.of("Abandon") == WHOLE


class Journal(Instrument):
    """Writes down what happens to an Add."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def note(self, what: str, message: Message[Any, Any] | None) -> None:
        if isinstance(message, Add):
            self.entries.append(what)

    def enqueued(self, actor: Ref[Any], message: Message[Any, Any]) -> None:  # noqa: ARG002
        self.note("enqueued", message)

    def started(self, actor: Ref[Any], message: Message[Any, Any]) -> None:  # noqa: ARG002
        self.note("started", message)

    def finished(self, actor: Ref[Any], message: Message[Any, Any]) -> None:  # noqa: ARG002
        self.note("finished", message)

    def refused(
        self,
        actor: Ref[Any],  # noqa: ARG002
        message: Message[Any, Any] | None,
        refusal: Exception,  # noqa: ARG002
    ) -> None:
        self.note("refused", message)

    def crashed(
        self,
        actor: Ref[Any],  # noqa: ARG002
        message: Message[Any, Any] | None,
        cause: Exception,  # noqa: ARG002
    ) -> None:
        self.note("crashed", message)


@pytest.mark.schedules(10)
async def test_a_message_that_is_skipped_has_no_event_but_is_counted() -> None:
    journal = Journal()
    async with open_system(instruments=[journal]) as system:
        counter = await system.start(Counter)
        await counter.tell(Nap(5))
        await settle()
        with trio.move_on_after(1):
            await counter.ask(Add())
        assert counter.statistics().queued == 1
        await counter.ask(Nap(1))
        assert (counter.statistics().queued, counter.statistics().skipped) == (0, 1)
    assert journal.entries == ["enqueued"]


@pytest.mark.schedules(10)
async def test_a_message_that_is_left_when_its_actor_stops_has_no_event() -> None:
    journal = Journal()

    async def ask_in_vain(counter: Ref[Counter]) -> None:
        with pytest.raises(ActorStopped):
            await counter.ask(Add())

    async with trio.open_nursery() as nursery:
        async with open_system(grace=1, instruments=[journal]) as system:
            counter = await system.start(Counter)
            await counter.tell(Nap(60))
            await settle()
            nursery.start_soon(ask_in_vain, counter)
            await settle()
        assert counter.statistics().queued == 0
    assert journal.entries == ["enqueued"]
