"""How members of a group end while it is being restarted."""

from __future__ import annotations

import pytest
import trio

from actors import ActorCrashed, Ref, Restart, Strategy
from actors.testing import settle
from tests.actors.cast import Asker
from tests.actors.troupe import FALL, Keep, Player, Say, Work, fall, open_troupe

pytestmark = pytest.mark.schedules

ALL = Strategy.ALL_FOR_ONE


async def test_the_asker_of_a_handler_that_falls_hears_of_it_though_its_actor_stops() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await troupe.hire(troupe.system.group(ALL), "ab")
        worker = Asker(nursery, troupe["b"], Work(tidying=5))
        await settle()
        await troupe["a"].tell(FALL)
        await trio.sleep(1)
        troupe["b"].stop()
        await worker.left.wait()
        assert type(worker.error) is ActorCrashed


async def test_nothing_is_queued_any_more_at_one_that_has_stopped() -> None:
    stopped: list[Ref[Player]] = []

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as block:
            async with open_troupe() as troupe:
                group = troupe.system.group(ALL)
                await troupe.hire(group, "ab", Restart(backoff=10))
                last_straw = Asker(nursery, troupe["a"], Keep(fall))
                await settle()
                # b has taken the message, but not seen it, when it falls with a.
                troupe["b"].tell_nowait(Say())
                last_straw.leave()
                await settle()
                stopped.append(troupe["b"])
                block.cancel()
        assert stopped[0].statistics().state == "stopped"
        assert stopped[0].statistics().queued == 0
