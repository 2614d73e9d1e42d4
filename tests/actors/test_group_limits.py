"""What groups do not do yet: each test here states what is right, and fails."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import Strategy
from actors.testing import run_seeded, settle
from tests.actors.cast import Asker
from tests.actors.troupe import FALL, Await, Company, Keep, Say, Work, fall, open_troupe

ALL, ONE = Strategy.ALL_FOR_ONE, Strategy.ONE_FOR_ONE


async def tidy_up_with(troupe: Company, name: str) -> None:
    """Work until cut short, then ask another, which cannot be cut short for an hour."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.move_on_after(3600) as tidying:
            tidying.shield = True
            await troupe[name].ask(Say("goodbye"))


@pytest.mark.xfail(strict=True, reason="nobody sees who waits for whom in a restart of a group")
def test_clean_up_that_asks_one_who_waits_for_it_to_end_is_refused_as_a_deadlock() -> None:
    async def play() -> None:
        async with open_troupe() as troupe, trio.open_nursery() as nursery:
            await troupe.hire(troupe.system.group(ALL), "ab")
            Asker(nursery, troupe["b"], Await(partial(tidy_up_with, troupe, "a")))
            await settle()
            await troupe["a"].tell(FALL)
            await trio.sleep(1)
            assert troupe.restarts() == "ab"

    run_seeded(0, play)


@pytest.mark.xfail(strict=True, reason="inside one_for_one nobody waits for those before it")
def test_a_group_that_is_taken_along_as_a_whole_starts_in_its_order() -> None:
    async def play() -> None:
        async with open_troupe() as troupe:
            outer = troupe.system.group(ALL)
            await troupe.hire(outer, "a")
            await troupe.hire(outer.group(ONE), "bcd")
            troupe.journal.clear()
            await troupe["a"].tell(FALL)
            await settle()
            assert troupe.journal == [f"{name} starts" for name in "abcd"]

    for seed in range(50):
        run_seeded(seed, play)


@pytest.mark.xfail(strict=True, reason="unwinding is waited for whoever fell with whom")
def test_two_who_crash_each_for_himself_do_not_wait_for_each_other() -> None:
    async def play() -> None:
        async with open_troupe() as troupe, trio.open_nursery() as nursery:
            await troupe.hire(troupe.system.group(ALL).group(ONE), "ab")
            last_straw = Asker(nursery, troupe["a"], Keep(fall))
            await settle()
            Asker(nursery, troupe["a"], Work(tidying=60))
            await settle()
            last_straw.leave()
            await troupe["b"].tell(FALL)
            await trio.sleep(1)
            assert troupe.restarts() == "b"

    run_seeded(0, play)
