"""Rule 5, second half: any exception but a refusal is a crash, and the actor is restarted."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorCrashed, Restart, open_system
from actors.testing import settle
from tests.actors.counter import Add, Asker, Boom, Counter, Crash, Forward, Nap, Reach, Relay
from tests.actors.fragile import BreakLater, Echo, Fragile, Hold, Work


@pytest.mark.schedules
async def test_a_crash_fails_the_asker_with_its_cause_and_restarts_the_actor() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal), name="counter")
        await counter.ask(Add(5))
        with pytest.raises(ActorCrashed, match="counter crashed") as crash:
            await counter.ask(Crash())
        assert isinstance(crash.value.__cause__, Boom)
        assert crash.value.name == "counter"
        assert journal == ["start", "add 5", "crash", "start"]
        assert await counter.ask(Add(1)) == 1, "a fresh instance behind the same ref"


@pytest.mark.schedules
async def test_the_restart_is_recorded_before_the_asker_gets_the_crash() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        with pytest.raises(ActorCrashed):
            await counter.ask(Crash())
        assert counter.statistics().restarts == 1
        assert counter.statistics().crashed == 1


@pytest.mark.schedules
async def test_a_restart_keeps_the_queue_and_does_not_retry_the_message_that_failed() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal))
        await counter.tell(Nap(1))
        await settle()
        for message in (Add(1), Crash(), Add(2), Add(3)):
            counter.tell_nowait(message)
        assert await counter.ask(Add(0)) == 5
    assert journal[3:-1] == ["add 1", "crash", "start", "add 2", "add 3", "add 0"]


@pytest.mark.schedules
async def test_replies_kept_by_the_crashed_instance_are_failed_at_once() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter)
        waiting = [Asker(nursery, counter, Reach(9)) for _ in range(3)]
        await settle()
        await counter.tell(Crash())
        for asker in waiting:
            await asker.done.wait()
            assert isinstance(asker.error, ActorCrashed)
            assert isinstance(asker.error.__cause__, Boom)
        assert trio.current_time() == 0


@pytest.mark.schedules
async def test_a_crash_of_an_async_handler_is_a_crash_like_any_other() -> None:
    async with open_system() as system:
        ref = await system.start(Fragile)
        with pytest.raises(ActorCrashed) as crash:
            await ref.ask(BreakLater())
        assert isinstance(crash.value.__cause__, Boom)
        assert ref.statistics().restarts == 1


@pytest.mark.schedules
async def test_a_crash_in_on_abandoned_is_a_crash_of_the_actor() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(Fragile)
        first, second = (Asker(nursery, ref, Hold()) for _ in range(2))
        await settle()
        first.cancel()
        await first.done.wait()
        await second.done.wait()
        assert first.outcome is None
        assert isinstance(second.error, ActorCrashed)
        assert ref.statistics().restarts == 1


@pytest.mark.schedules
async def test_a_crash_beside_an_async_handler_cancels_it_and_then_restarts() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(Fragile)
        holders = [Asker(nursery, ref, Hold()) for _ in range(2)]
        await settle()
        worker = Asker(nursery, ref, Work())
        queued = Asker(nursery, ref, Echo("queued"))
        await settle()
        for holder in holders:
            holder.cancel()
        assert ref.statistics().restarts == 0, "not before the handler has unwound"
        await worker.done.wait()
        assert isinstance(worker.error, ActorCrashed)
        assert isinstance(worker.error.__cause__, Boom)
        await queued.done.wait()
        assert queued.answer == "queued"
        assert trio.current_time() == pytest.approx(1)
        seen = ref.statistics()
        assert (seen.crashed, seen.restarts) == (1, 1)


@pytest.mark.schedules
async def test_a_message_received_as_its_instance_crashes_is_queued_for_the_next() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(Fragile, restart=Restart(backoff=5, jitter=0))
        holder = Asker(nursery, ref, Hold())
        await settle()
        ref.tell_nowait(Echo("first"))
        holder.cancel()
        ref.tell_nowait(Echo("second"))
        await trio.sleep(3)
        seen = ref.statistics()
        assert (seen.state, seen.queued, seen.handled) == ("restarting", 2, 1)
        await trio.sleep(3)
        seen = ref.statistics()
        assert (seen.state, seen.queued, seen.handled) == ("running", 0, 3)


@pytest.mark.schedules
async def test_callbacks_of_a_crashed_instance_do_not_run() -> None:
    journal: list[str] = []
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(partial(Counter, journal))
        asker = Asker(nursery, counter, Reach(9))
        await settle()
        await counter.tell(Crash())
        asker.cancel()
        await settle()
    # An ask that was cancelled in time was abandoned by the instance that had its reply.
    assert "abandoned 9" not in journal[journal.index("crash") :]


@pytest.mark.schedules
async def test_a_crash_of_the_asked_actor_crashes_the_actor_that_asks() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        relay = await system.start(partial(Relay, counter))
        with pytest.raises(ActorCrashed, match="Relay crashed") as crash:
            await relay.ask(Forward(Crash()))
        assert str(crash.value.__cause__) == "Counter crashed"


async def test_a_crash_and_the_restart_are_logged_with_their_cause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        await counter.tell(Crash())
        await counter.ask(Add())
    crash, restart = caplog.records
    assert (crash.name, restart.name) == ("actors", "actors")
    assert crash.getMessage() == "Counter crashed"
    assert crash.exc_info is not None
    assert crash.exc_info[0] is Boom
    assert restart.getMessage() == "Counter was restarted, because of Boom()"
