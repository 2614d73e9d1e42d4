"""What groups do not do yet: each test here states what is right, and fails."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import Strategy
from actors.testing import run_seeded, settle
from tests.actors.actors_in_groups import (
    CRASH,
    Await,
    Keep,
    MembersInSystem,
    Say,
    Work,
    crash,
    open_members,
)
from tests.actors.counter import Asker

ALL, ONE = Strategy.ALL_FOR_ONE, Strategy.ONE_FOR_ONE


async def ask_for_an_hour(members: MembersInSystem, name: str) -> None:
    """Ask another, which cannot be cut short for so long."""
    with trio.move_on_after(3600) as shield:
        shield.shield = True
        await members[name].ask(Say())


@pytest.mark.xfail(strict=True, reason="an ask is looked at as it begins, not as somebody falls")
def test_an_ask_that_cannot_be_cut_short_is_refused_when_the_other_falls() -> None:
    async def scenario() -> None:
        async with open_members() as members, trio.open_nursery() as nursery:
            await members.start(members.system.group(ALL), "ab")
            Asker(nursery, members["a"], Work(seconds=5))
            await settle()
            await members["a"].tell(CRASH)
            Asker(nursery, members["b"], Await(partial(ask_for_an_hour, members, "a")))
            await trio.sleep(10)
            assert members.restarts() == "ab"

    run_seeded(0, scenario)


@pytest.mark.xfail(strict=True, reason="inside one_for_one nobody waits for those before it")
def test_a_group_that_is_taken_along_as_a_whole_starts_in_its_order() -> None:
    async def scenario() -> None:
        async with open_members() as members:
            outer = members.system.group(ALL)
            await members.start(outer, "a")
            await members.start(outer.group(ONE), "bcd")
            members.journal.clear()
            await members["a"].tell(CRASH)
            await settle()
            assert members.journal == [f"{name} starts" for name in "abcd"]

    for seed in range(50):
        run_seeded(seed, scenario)


@pytest.mark.xfail(strict=True, reason="unwinding is waited for whoever fell with whom")
def test_two_who_crash_each_for_himself_do_not_wait_for_each_other() -> None:
    async def scenario() -> None:
        async with open_members() as members, trio.open_nursery() as nursery:
            await members.start(members.system.group(ALL).group(ONE), "ab")
            trigger = Asker(nursery, members["a"], Keep(crash))
            await settle()
            Asker(nursery, members["a"], Work(cleanup=60))
            await settle()
            trigger.cancel()
            await members["b"].tell(CRASH)
            await trio.sleep(1)
            assert members.restarts() == "b"

    run_seeded(0, scenario)
