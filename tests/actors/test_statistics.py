"""Rule 9: what statistics and the tree show of actors."""

from __future__ import annotations

import pytest
import trio

from actors import ActorCrashed, ActorStatistics, open_system
from actors.testing import settle
from tests.actors.counter import Add, Asker, Counter, Crash, Nap, No, Reach, Refuse


@pytest.mark.schedules
async def test_statistics_tell_what_an_actor_has_done() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, name="counter", mailbox=9)
        await counter.ask(Add())
        with pytest.raises(No):
            await counter.ask(Refuse())
        with pytest.raises(ActorCrashed):
            await counter.ask(Crash())
        kept = Asker(nursery, counter, Reach(9))
        await settle()
        await counter.tell(Nap(5))
        await settle()
        skipped = Asker(nursery, counter, Add())
        queued = Asker(nursery, counter, Add())
        await settle()
        skipped.cancel()
        await trio.sleep(1)
        assert counter.statistics() == ActorStatistics(
            name="counter",
            state="running",
            queued=2,
            mailbox=9,
            handled=2,
            refused=1,
            skipped=0,
            crashed=1,
            restarts=1,
            busy_since=0.0,
        )
        await queued.done.wait()
        kept.cancel()
        seen = counter.statistics()
        assert (seen.handled, seen.skipped, seen.queued, seen.busy_since) == (4, 1, 0, None)


@pytest.mark.schedules
async def test_each_handler_that_was_cancelled_counts_as_skipped() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        for _ in range(3):
            with trio.move_on_after(1):
                await counter.ask(Nap(5))
        seen = counter.statistics()
        assert (seen.handled, seen.skipped) == (0, 3)


@pytest.mark.schedules
async def test_each_queued_message_whose_ask_was_cancelled_counts_as_skipped() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter)
        await counter.tell(Nap(1))
        askers = [Asker(nursery, counter, Add()) for _ in range(3)]
        await settle()
        for asker in askers:
            asker.cancel()
        assert await counter.ask(Add()) == 1
        seen = counter.statistics()
        assert (seen.handled, seen.skipped) == (2, 3)


@pytest.mark.schedules
async def test_the_tree_shows_running_actors_in_the_order_of_their_start() -> None:
    async with open_system() as system:
        first, second, third = [await system.start(Counter) for _ in range(3)]
        second.stop()
        await second.wait_stopped()
        assert list(system.tree()) == [first.statistics(), third.statistics()]
    assert list(system.tree()) == []


@pytest.mark.schedules
async def test_the_repr_of_a_ref_has_its_name_and_state() -> None:
    async with open_system() as system:
        counter = await system.start(Counter, name="counter")
        assert repr(counter) == "<Ref counter, running>"
        await counter.tell(Nap(1))
        counter.stop()
        assert repr(counter) == "<Ref counter, stopping>"
        await counter.wait_stopped()
        assert repr(counter) == "<Ref counter, stopped>"
