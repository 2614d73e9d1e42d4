"""A restart in a group waits for what it has to wait for, and for nothing else."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorCrashed, ActorError, Restart, Strategy, System
from actors.testing import settle
from tests.actors.cast import Asker
from tests.actors.troupe import FALL, Company, Keep, Player, fall, open_troupe

pytestmark = pytest.mark.schedules


@pytest.mark.parametrize(
    ("strategy", "crashed"),
    [(Strategy.ALL_FOR_ONE, "a"), (Strategy.REST_FOR_ONE, "a"), (Strategy.REST_FOR_ONE, "c")],
    ids=str,
)
async def test_who_has_nobody_to_wait_for_is_up_again_before_his_asker_hears(
    strategy: Strategy, crashed: str
) -> None:
    async with open_troupe() as troupe:
        await troupe.hire(troupe.system.group(strategy), "abc")
        with pytest.raises(ActorCrashed):
            await troupe[crashed].ask(FALL)
        assert troupe[crashed].statistics().restarts == 1


@pytest.mark.parametrize("strategy", [Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE], ids=str)
async def test_who_joins_a_group_starts_when_those_before_him_are_up(strategy: Strategy) -> None:
    async with open_troupe() as troupe:
        group = troupe.system.group(strategy)
        await troupe.hire(group, "a", Restart(backoff=10, jitter=0))
        await troupe["a"].tell(FALL)
        await settle()
        await troupe.hire(group.group(Strategy.ONE_FOR_ONE), "b")
        assert trio.current_time() == pytest.approx(10)
        assert troupe.journal == ["a starts", "a starts", "b starts"]


async def test_who_joins_others_that_are_restarted_each_by_himself_starts_at_once() -> None:
    async with open_troupe() as troupe:
        group = troupe.system.group(Strategy.ONE_FOR_ONE)
        await troupe.hire(group, "a", Restart(backoff=10, jitter=0))
        await troupe["a"].tell(FALL)
        await settle()
        await troupe.hire(group, "b")
        assert trio.current_time() == 0


async def test_who_waits_to_join_is_refused_when_the_system_is_left() -> None:
    async def join(troupe: Company, group: System) -> None:
        with pytest.raises(ActorError, match="being left"):
            await troupe.hire(group, "b")

    async with trio.open_nursery() as outside:
        with trio.CancelScope() as block:
            async with open_troupe() as troupe:
                group = troupe.system.group(Strategy.ALL_FOR_ONE)
                await troupe.hire(group, "a", Restart(backoff=10, jitter=0))
                await troupe["a"].tell(FALL)
                outside.start_soon(join, troupe, group)
                await settle()
                assert troupe.journal == ["a starts"]
                block.cancel()


async def test_who_leaves_one_that_has_fallen_and_is_not_replaced_yet_leaves_unnoticed() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await troupe.hire(troupe.system.group(Strategy.ALL_FOR_ONE), "ab")
        last_straw = Asker(nursery, troupe["a"], Keep(fall))
        leaver = Asker(nursery, troupe["b"], Keep(partial(Player.note, text="abandoned")))
        await settle()
        troupe.journal.clear()
        last_straw.leave()
        leaver.leave()
        await settle()
        assert troupe.journal == ["a starts", "b starts"]
