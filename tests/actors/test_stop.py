"""Rule 8, second half: a stop is ordered, and no task hangs, whatever the reason for the stop."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from actors import Actor, ActorCrashed, ActorStopped, Ref, open_system
from actors.testing import settle
from tests.actors.counter import Add, Asker, Boom, Counter, Crash, Forward, Nap, Reach, Relay


@pytest.mark.schedules
async def test_actors_stop_last_started_first_and_finish_what_is_queued() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal))
        relay = await system.start(partial(NamedRelay, counter, journal))
        await relay.tell(Forward(Nap(1)))
        await relay.tell(Forward(Add(1)))
    assert journal == ["start", "nap", "unwound", "add 1", "relay stops", "stop"]
    assert trio.current_time() == pytest.approx(1)


class NamedRelay(Relay):
    def __init__(self, counter: Ref[Counter], journal: list[str]) -> None:
        super().__init__(counter)
        self.journal = journal

    def on_stop(self) -> None:
        self.journal.append("relay stops")


@pytest.mark.schedules
async def test_work_that_the_grace_period_is_too_short_for_is_failed() -> None:
    journal: list[str] = []
    askers: list[Asker[Any]] = []
    async with trio.open_nursery() as outside:
        async with open_system(grace=3) as system:
            first = await system.start(partial(Counter, journal))
            second = await system.start(partial(Counter, journal))
            askers += [Asker(outside, ref, Nap(60, cleanup=1)) for ref in (first, second)]
            await settle()
            askers += [Asker(outside, ref, Add(1)) for ref in (first, second)]
            await settle()
        assert trio.current_time() == pytest.approx(4), "one period, and one second to unwind"
    assert [type(asker.error) for asker in askers] == [ActorStopped] * 4
    assert [str(asker.error) for asker in askers] == [
        "Counter has stopped",
        "Counter-2 has stopped",
    ] * 2
    assert journal[:4] == ["start", "start", "nap", "nap"]
    assert sorted(journal[4:]) == ["stop", "stop", "unwound", "unwound"], "side by side"


@pytest.mark.schedules
async def test_an_actor_that_unwinds_after_the_grace_period_accepts_no_message() -> None:
    async with trio.open_nursery() as outside, open_system(grace=1) as system:
        first = await system.start(Counter)
        second = await system.start(Counter)
        outside.start_soon(ask_late, first)
        await first.tell(Nap(60, cleanup=2))
        await second.tell(Nap(60, cleanup=2))
        await settle()


async def ask_late(first: Ref[Counter]) -> None:
    await trio.sleep(4)
    with pytest.raises(ActorStopped):
        await first.ask(Add())
    assert trio.current_time() == pytest.approx(4), "the sender is failed at once"


@pytest.mark.schedules
async def test_replies_that_are_kept_at_the_stop_are_failed_after_on_stop() -> None:
    async with trio.open_nursery() as outside:
        async with open_system() as system:
            counter = await system.start(Counter)
            polite = await system.start(Polite)
            forgotten = Asker(outside, counter, Reach(9))
            answered = Asker(outside, polite, Reach(9))
            await settle()
        await forgotten.done.wait()
        await answered.done.wait()
        assert str(forgotten.error) == "Counter has stopped"
        assert answered.answer == -1


class Polite(Counter):
    def on_stop(self) -> None:
        for _, reply in self.replies:
            reply.send(-1)


@pytest.mark.schedules
async def test_a_sender_that_waits_for_room_as_the_actor_stops_gets_actor_stopped() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, name="counter", mailbox=1)
        await counter.tell(Nap(1))
        await settle()
        queued = Asker(nursery, counter, Add(1))
        await settle()
        waiting = Asker(nursery, counter, Add(1))
        await settle()
        counter.stop()
        with pytest.raises(ActorStopped, match="counter has stopped"):
            await counter.tell(Add(1))
        await waiting.done.wait()
        assert isinstance(waiting.error, ActorStopped)
        assert counter.statistics().state == "stopping"
        await queued.done.wait()
        assert queued.answer == 1


@pytest.mark.schedules
async def test_an_actor_that_is_stopped_alone_accepts_no_message() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal), name="counter")
        counter.tell_nowait(Add(1))
        counter.stop()
        counter.stop()
        await counter.wait_stopped()
        assert journal == ["start", "add 1", "stop"]
        # A task that retries in a loop lets others run meanwhile.
        with trio.testing.assert_checkpoints(), pytest.raises(ActorStopped) as stopped:
            await counter.ask(Add(1))
        assert stopped.value.name == "counter"
        with trio.testing.assert_checkpoints(), pytest.raises(ActorStopped):
            await counter.tell(Add(1))
        with pytest.raises(ActorStopped):
            counter.tell_nowait(Add(1))
        await system.start(Counter, name="counter")


@pytest.mark.schedules
async def test_a_cancelled_system_settles_every_ask_and_stops_in_order() -> None:
    journal: list[str] = []
    askers: list[Asker[Any]] = []
    async with trio.open_nursery() as outside:
        with trio.move_on_after(1):
            async with open_system() as system:
                counter = await system.start(partial(Counter, journal))
                relay = await system.start(partial(NamedRelay, counter, journal))
                askers.append(Asker(outside, relay, Forward(Reach(9))))
                await settle()
                askers.append(Asker(outside, relay, Forward(Add())))
                askers.append(Asker(outside, counter, Nap(60)))
                await settle()
                askers.append(Asker(outside, counter, Add()))
                await trio.sleep_forever()
        assert trio.current_time() == pytest.approx(1)
    assert [type(asker.error) for asker in askers] == [ActorStopped] * 4
    assert journal == ["start", "nap", "abandoned 9", "relay stops", "unwound", "stop"]


@pytest.mark.schedules
async def test_a_cancelled_system_also_stops_last_started_first() -> None:
    journal: list[str] = []
    with trio.move_on_after(1):
        async with open_system() as system:
            for number in range(4):
                await system.start(partial(Numbered, number, journal))
            await trio.sleep_forever()
    assert journal == ["3 stops", "2 stops", "1 stops", "0 stops"]


class Numbered(Actor):
    def __init__(self, number: int, journal: list[str]) -> None:
        self.number = number
        self.journal = journal

    def on_stop(self) -> None:
        self.journal.append(f"{self.number} stops")


@pytest.mark.schedules
async def test_an_exception_in_the_block_is_raised_as_it_is_after_the_stop() -> None:
    journal: list[str] = []

    async def fail() -> None:
        async with open_system() as system:
            counter = await system.start(partial(Counter, journal))
            counter.tell_nowait(Add(1))
            raise Boom

    with pytest.raises(Boom):
        await fail()
    assert journal == ["start", "add 1", "stop"]


@pytest.mark.schedules
async def test_a_crash_of_a_stopping_actor_restarts_it_for_its_queue() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal))
        for message in (Add(1), Crash(), Add(2)):
            counter.tell_nowait(message)
    assert journal == ["start", "add 1", "crash", "start", "add 2", "stop"]


@pytest.mark.schedules
async def test_an_on_stop_that_fails_is_raised_by_the_system(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal: list[str] = []

    async def stop_badly() -> None:
        async with open_system() as system:
            await system.start(partial(Counter, journal))
            await system.start(Sore)

    with pytest.raises(ActorCrashed, match="Sore crashed") as crash:
        await stop_badly()
    assert isinstance(crash.value.__cause__, Boom)
    assert journal == ["start", "stop"]
    (record,) = caplog.records
    assert record.getMessage() == "Sore crashed as it stopped"
    assert (record.exc_info or [None])[0] is Boom


class Sore(Actor):
    def on_stop(self) -> None:
        raise Boom
