"""What groups do not do, for simplicity: see the limits in actors/group.py and decision 10."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import Strategy
from actors.testing import settle
from tests.actors.actors_in_groups import (
    CRASH,
    Await,
    Keep,
    MembersInSystem,
    Say,
    Work,
    crash,
    open_members,
    starts,
)
from tests.actors.counter import Asker

pytestmark = pytest.mark.schedules

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE


async def ask_shielded(members: MembersInSystem, name: str) -> None:
    """Ask another member, which cannot be cancelled for an hour."""
    with trio.move_on_after(3600) as shield:
        shield.shield = True
        await members[name].ask(Say())


async def test_a_shielded_ask_of_a_member_that_crashes_later_delays_the_restart() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(ALL), "ab")
        Asker(nursery, members["a"], Work(seconds=5))
        await settle()
        await members["a"].tell(CRASH)
        # It begins before the crash, when it is no deadlock; then a waits for b to unwind.
        Asker(nursery, members["b"], Await(partial(ask_shielded, members, "a")))
        await trio.sleep(3599)
        assert members.restarts() == ""
        await trio.sleep(2)
        assert members.restarts() == "ab"


async def test_a_one_for_one_group_that_is_restarted_as_a_whole_starts_in_any_order() -> None:
    async with open_members() as members:
        outer = members.system.group(ALL)
        await members.start(outer, "a")
        await members.start(outer.group(ONE), "bcd")
        await members.start(outer, "e")
        members.journal.clear()
        await members["a"].tell(CRASH)
        await settle()
        assert members.journal[0] == "a starts"
        assert sorted(members.journal[1:4]) == starts("bcd")
        assert members.journal[4] == "e starts"


async def test_a_restart_waits_for_all_that_unwinds_in_the_groups_around_it() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(ALL).group(ONE), "ab")
        trigger = Asker(nursery, members["a"], Keep(crash))
        await settle()
        Asker(nursery, members["a"], Work(cleanup=60))
        await settle()
        # a and b crash each by itself.
        trigger.cancel()
        await members["b"].tell(CRASH)
        await trio.sleep(59)
        assert members.restarts() == ""
        await trio.sleep(2)
        assert members.restarts() == "ab"
