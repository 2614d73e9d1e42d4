"""A group can be ended, in order, and leaves nothing behind."""

from __future__ import annotations

import pytest
import trio

from actors import ActorCrashed, ActorError, Deadlock, Strategy, open_system
from actors.testing import settle
from tests.actors.actors_in_groups import Await, Say, Work, open_members
from tests.actors.counter import Counter

pytestmark = pytest.mark.schedules


async def test_the_actors_of_a_group_stop_in_order_and_finish_what_is_queued() -> None:
    async with open_members() as members:
        group = members.system.group(Strategy.ALL_FOR_ONE)
        await members.start(members.system, "z")
        await members.start(group, "a")
        await members.start(group.group(Strategy.ONE_FOR_ONE), "bc")
        members.journal.clear()
        await members["c"].tell(Work(5))
        await members["c"].tell(Say("bye"))
        await group.stop()
        assert trio.current_time() == pytest.approx(5)
        assert members.journal == ["c unwound", "c says bye", "c stops", "b stops", "a stops"]
        assert [actor.name for actor in members.system.tree()] == ["z"]


async def test_a_group_for_each_of_many_visitors_leaves_nothing_behind() -> None:
    async with open_system() as system:
        for _ in range(10):
            visit = system.group(Strategy.ALL_FOR_ONE)
            await visit.start(Counter)
            await visit.stop()
            await visit.stop()
        assert system.tree().members == ()


async def test_nobody_starts_in_a_group_that_was_stopped_nor_in_one_within() -> None:
    async with open_system() as system:
        group = system.group(Strategy.ALL_FOR_ONE, name="drinks")
        within = group.group(Strategy.ONE_FOR_ONE, name="cold")
        await group.stop()
        with pytest.raises(ActorError, match="no actor starts in drinks, which was stopped"):
            await group.start(Counter)
        with pytest.raises(ActorError, match="no actor starts in cold, which was stopped"):
            await within.start(Counter)
        await system.start(Counter)


async def test_whoever_gives_up_waiting_for_the_end_of_a_group_may_try_again() -> None:
    async with open_members() as members:
        group = members.system.group(Strategy.ALL_FOR_ONE)
        await members.start(group, "ab")
        await members["b"].tell(Work(5))
        with trio.move_on_after(1) as patience:
            await group.stop()
        assert patience.cancelled_caught
        assert [actor.state for actor in group.tree()] == ["running", "stopping"]
        await group.stop()
        assert trio.current_time() == pytest.approx(5)
        assert members.system.tree().members == ()


async def test_a_handler_that_stops_its_own_group_is_refused() -> None:
    async with open_members() as members:
        group = members.system.group(Strategy.ALL_FOR_ONE)
        await members.start(group, "ab")
        await settle()
        with pytest.raises(ActorCrashed) as crash:
            await members["b"].ask(Await(group.stop))
        assert isinstance(crash.value.__cause__, Deadlock)
        await settle()
        assert [actor.state for actor in group.tree()] == ["running"]
