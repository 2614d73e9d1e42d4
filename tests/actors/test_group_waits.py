"""A restart in a group waits for what it has to wait for, and for nothing else."""

from __future__ import annotations

import pytest

from actors import ActorCrashed, Strategy
from tests.actors.troupe import FALL, open_troupe

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
