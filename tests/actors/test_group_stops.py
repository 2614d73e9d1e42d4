"""A group stops in order, and members stop while others crash."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorCrashed, ActorError, ActorStopped, Deadlock, Restart, Strategy, open_system
from actors.testing import settle
from tests.actors.actors_in_groups import CRASH, Await, Say, Work, open_members, start_all, starts
from tests.actors.counter import Asker, Counter

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


async def test_groups_that_were_stopped_leave_nothing_behind() -> None:
    async with open_system() as system:
        for _ in range(10):
            visit = system.group(Strategy.ALL_FOR_ONE)
            await visit.start(Counter)
            await visit.stop()
            await visit.stop()
        assert system.tree().members == ()


async def test_no_actor_starts_in_a_group_that_was_stopped_nor_in_one_within() -> None:
    async with open_system() as system:
        group = system.group(Strategy.ALL_FOR_ONE, name="drinks")
        within = group.group(Strategy.ONE_FOR_ONE, name="cold")
        await group.stop()
        with pytest.raises(ActorError, match="no actor starts in drinks, which was stopped"):
            await group.start(Counter)
        with pytest.raises(ActorError, match="no actor starts in cold, which was stopped"):
            await within.start(Counter)
        await system.start(Counter)


async def test_stopping_a_group_can_be_cancelled_and_repeated() -> None:
    async with open_members() as members:
        group = members.system.group(Strategy.ALL_FOR_ONE)
        await members.start(group, "ab")
        await members["b"].tell(Work(5))
        with trio.move_on_after(1) as wait:
            await group.stop()
        assert wait.cancelled_caught
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


ALL, REST = Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE
SLOW = Restart(limit=9, within=100, backoff=10, jitter=0)


@pytest.mark.parametrize("stopped", ["a", "b", "c"])
async def test_a_member_that_is_stopped_while_the_group_restarts_blocks_no_other(
    stopped: str,
) -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        Asker(nursery, members["b"], Work(cleanup=5))
        await settle()
        await members["a"].tell(CRASH)
        await trio.sleep(1)
        members[stopped].stop()
        await trio.sleep(5)
        left = "abc".replace(stopped, "")
        assert members.journal == ["b unwound", *starts(left)]
        assert members[stopped].statistics().state == "stopped"


async def test_a_member_that_has_stopped_or_stops_with_nothing_queued_is_not_restarted() -> None:
    async with open_members() as members:
        await start_all(members, "abcd")
        members["b"].stop()
        await members["b"].wait_stopped()
        await members["d"].tell(CRASH)
        await settle()
        assert members.journal == ["b stops", *starts("acd")]


async def test_a_member_that_stops_with_messages_queued_is_restarted_for_them() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        working = Asker(nursery, members["b"], Work())
        await settle()
        queued = [Asker(nursery, members["b"], Say()) for _ in range(3)]
        await settle()
        members["b"].stop()
        await members["a"].tell(CRASH)
        await members["b"].wait_stopped()
        await settle()
        assert str(working.error) == "b was restarted with a"
        assert [asker.answer for asker in queued] == ["2"] * 3
        assert sorted(members.journal) == sorted(
            ["b unwound", *starts("abc"), *["b says "] * 3, "b stops"]
        )


async def test_a_member_that_crashes_while_it_stops_restarts_the_others() -> None:
    async with open_members() as members:
        await start_all(members)
        members["b"].tell_nowait(CRASH)
        members["b"].tell_nowait(Say())
        members["b"].stop()
        await members["b"].wait_stopped()
        await settle()
        assert members.restarts() == "abc"
        assert "b says " in members.journal


async def test_queued_messages_are_handled_after_a_crash_as_the_block_is_left() -> None:
    asks: list[Asker[str]] = []
    async with trio.open_nursery() as outside, open_members() as members:
        await start_all(members)
        for name in "abc":
            await members[name].tell(Await(partial(trio.sleep, 1)))
        await settle()
        for name in "abc":
            members[name].tell_nowait(CRASH)
            asks += [Asker(outside, members[name], Say(name)) for _ in range(3)]
        await settle()
    assert [asker.answer[0] for asker in asks] == list("aaabbbccc")
    assert trio.current_time() < 5


async def test_unwinding_that_takes_longer_than_the_grace_is_waited_for() -> None:
    async with trio.open_nursery() as outside, open_members(grace=2) as members:
        await start_all(members)
        working = Asker(outside, members["b"], Work(cleanup=60))
        await settle()
        await members["a"].tell(CRASH)
        await settle()
        queued = Asker(outside, members["c"], Say())
        await settle()
    assert trio.current_time() == 60
    assert isinstance(queued.error, ActorStopped), "c had its two seconds"
    assert working.done.is_set()
    assert members.journal[0] == "b unwound"
    assert "c starts" not in members.journal


async def test_the_end_of_an_actor_that_was_down_can_be_waited_for_by_others() -> None:
    async with open_members() as members:
        group = members.system.group(Strategy.REST_FOR_ONE)
        await members.start(group, "a", Restart(backoff=5, jitter=0))
        await members.start(members.system, "b")
        await members["a"].tell(CRASH)
        await settle()
        members["a"].stop()
        await members["a"].wait_stopped()
        await members["b"].ask(Await(members["a"].wait_stopped))
        assert members.restarts() == ""
