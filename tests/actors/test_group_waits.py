"""A restart in a group waits for what it has to wait for, and for nothing else."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorCrashed, ActorError, Restart, Strategy, System
from actors.testing import settle
from tests.actors.actors_in_groups import CRASH, Keep, Member, MembersInSystem, crash, open_members
from tests.actors.counter import Asker

pytestmark = pytest.mark.schedules


@pytest.mark.parametrize(
    ("strategy", "crashed"),
    [(Strategy.ALL_FOR_ONE, "a"), (Strategy.REST_FOR_ONE, "a"), (Strategy.REST_FOR_ONE, "c")],
    ids=str,
)
async def test_who_has_nobody_to_wait_for_is_up_again_before_his_asker_hears(
    strategy: Strategy, crashed: str
) -> None:
    async with open_members() as members:
        await members.start(members.system.group(strategy), "abc")
        with pytest.raises(ActorCrashed):
            await members[crashed].ask(CRASH)
        assert members[crashed].statistics().restarts == 1


@pytest.mark.parametrize("strategy", [Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE], ids=str)
async def test_who_joins_a_group_starts_when_those_before_him_are_up(strategy: Strategy) -> None:
    async with open_members() as members:
        group = members.system.group(strategy)
        await members.start(group, "a", Restart(backoff=10, jitter=0))
        await members["a"].tell(CRASH)
        await settle()
        await members.start(group.group(Strategy.ONE_FOR_ONE), "b")
        assert trio.current_time() == pytest.approx(10)
        assert members.journal == ["a starts", "a starts", "b starts"]


async def test_who_joins_others_that_are_restarted_each_by_himself_starts_at_once() -> None:
    async with open_members() as members:
        group = members.system.group(Strategy.ONE_FOR_ONE)
        await members.start(group, "a", Restart(backoff=10, jitter=0))
        await members["a"].tell(CRASH)
        await settle()
        await members.start(group, "b")
        assert trio.current_time() == 0


async def test_who_waits_to_join_is_refused_when_the_system_is_left() -> None:
    async def join(members: MembersInSystem, group: System) -> None:
        with pytest.raises(ActorError, match="being left"):
            await members.start(group, "b")

    async with trio.open_nursery() as outside:
        with trio.CancelScope() as block:
            async with open_members() as members:
                group = members.system.group(Strategy.ALL_FOR_ONE)
                await members.start(group, "a", Restart(backoff=10, jitter=0))
                await members["a"].tell(CRASH)
                outside.start_soon(join, members, group)
                await settle()
                assert members.journal == ["a starts"]
                block.cancel()


async def test_who_leaves_one_that_has_fallen_and_is_not_replaced_yet_leaves_unnoticed() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(Strategy.ALL_FOR_ONE), "ab")
        trigger = Asker(nursery, members["a"], Keep(crash))
        leaver = Asker(nursery, members["b"], Keep(partial(Member.note, text="abandoned")))
        await settle()
        members.journal.clear()
        trigger.cancel()
        leaver.cancel()
        await settle()
        assert members.journal == ["a starts", "b starts"]
