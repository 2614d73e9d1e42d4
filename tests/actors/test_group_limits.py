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


async def ask_for_an_hour(troupe: Company, name: str) -> None:
    """Ask another, which cannot be cut short for so long."""
    with trio.move_on_after(3600) as shield:
        shield.shield = True
        await troupe[name].ask(Say())


@pytest.mark.xfail(strict=True, reason="an ask is looked at as it begins, not as somebody falls")
def test_an_ask_that_cannot_be_cut_short_is_refused_when_the_other_falls() -> None:
    async def play() -> None:
        async with open_troupe() as troupe, trio.open_nursery() as nursery:
            await troupe.hire(troupe.system.group(ALL), "ab")
            Asker(nursery, troupe["a"], Work(seconds=5))
            await settle()
            await troupe["a"].tell(FALL)
            Asker(nursery, troupe["b"], Await(partial(ask_for_an_hour, troupe, "a")))
            await trio.sleep(10)
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
