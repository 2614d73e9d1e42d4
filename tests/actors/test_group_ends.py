"""How members of a group end while it is being restarted."""

from __future__ import annotations

import pytest
import trio

from actors import ActorCrashed, Ref, Restart, Strategy
from actors.testing import settle
from tests.actors.actors_in_groups import CRASH, Keep, Member, Say, Work, crash, open_members
from tests.actors.counter import Asker

pytestmark = pytest.mark.schedules

ALL = Strategy.ALL_FOR_ONE


async def test_the_asker_of_a_handler_that_falls_hears_of_it_though_its_actor_stops() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(ALL), "ab")
        worker = Asker(nursery, members["b"], Work(cleanup=5))
        await settle()
        await members["a"].tell(CRASH)
        await trio.sleep(1)
        members["b"].stop()
        await worker.done.wait()
        assert type(worker.error) is ActorCrashed


async def test_nothing_is_queued_any_more_at_one_that_has_stopped() -> None:
    stopped: list[Ref[Member]] = []

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as block:
            async with open_members() as members:
                group = members.system.group(ALL)
                await members.start(group, "ab", Restart(backoff=10))
                trigger = Asker(nursery, members["a"], Keep(crash))
                await settle()
                # b has taken the message, but not seen it, when it falls with a.
                members["b"].tell_nowait(Say())
                trigger.cancel()
                await settle()
                stopped.append(members["b"])
                block.cancel()
        assert stopped[0].statistics().state == "stopped"
        assert stopped[0].statistics().queued == 0
