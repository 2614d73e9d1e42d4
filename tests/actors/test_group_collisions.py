"""A crash in a group that falls together with another, a start, a stop, or the end of it all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import trio
import trio.lowlevel

from actors import ActorCrashed, Restart, Strategy
from actors.testing import settle
from tests.actors.cast import Asker
from tests.actors.troupe import (
    FALL,
    PATIENT,
    Await,
    Company,
    Do,
    Keep,
    Say,
    fall,
    open_troupe,
)

pytestmark = pytest.mark.schedules

ALL, REST = Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE
SLOW = Restart(limit=9, within=100, backoff=10, jitter=0)


def starts(names: str) -> list[str]:
    return [f"{name} starts" for name in names]


async def hire_all(troupe: Company, names: str = "abc", restart: Restart = PATIENT) -> None:
    await troupe.hire(troupe.system.group(ALL), names, restart)
    troupe.journal.clear()


def and_then(*steps: Callable[[], object]) -> Do:
    """Do several things in one turn."""
    return Do(lambda _: [step() for step in steps])


@pytest.mark.parametrize("strategy", [ALL, REST], ids=str)
async def test_two_may_crash_in_the_same_pass(strategy: Strategy) -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await troupe.hire(troupe.system.group(strategy), "abc")
        crashing = [Asker(nursery, troupe[name], FALL) for name in "abc"]
        asking = [Asker(nursery, troupe[name], Say(name)) for name in "abc"]
        await settle()
        assert [str(asker.error) for asker in crashing] == ["a crashed", "b crashed", "c crashed"]
        assert [asker.answer[0] for asker in asking] == ["a", "b", "c"]
        assert [troupe[name].statistics().crashed for name in "abc"] == [1, 1, 1]


async def test_who_makes_another_crash_in_his_turn_ends_it_and_is_restarted_too() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await hire_all(troupe)
        last_straw = Asker(nursery, troupe["c"], Keep(fall))
        await settle()
        note = partial(troupe.note, "goes on")
        await troupe["a"].ask(and_then(last_straw.leave, note))
        await settle()
        assert troupe.journal == ["goes on", *starts("abc")]
        assert [troupe[name].statistics().crashed for name in "abc"] == [0, 0, 1]


async def test_who_makes_another_crash_and_then_crashes_himself_has_crashed() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await hire_all(troupe)
        last_straw = Asker(nursery, troupe["c"], Keep(fall))
        await settle()
        with pytest.raises(ActorCrashed, match="a crashed"):
            await troupe["a"].ask(and_then(last_straw.leave, fall))
        await settle()
        assert troupe.journal == starts("abc")
        assert [troupe[name].statistics().crashed for name in "abc"] == [1, 0, 1]


async def test_a_reply_taken_on_in_the_turn_that_makes_another_crash_is_failed() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await hire_all(troupe)
        last_straw = Asker(nursery, troupe["b"], Keep(fall))
        kept = Asker(nursery, troupe["a"], Keep())
        await settle()
        await troupe["a"].ask(and_then(last_straw.leave))
        await kept.left.wait()
        assert str(kept.error) == "a was restarted with b"


async def test_an_async_handler_may_make_another_of_its_group_crash() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await hire_all(troupe)
        last_straw = Asker(nursery, troupe["c"], Keep(fall))
        await settle()

        async def make_crash() -> None:
            last_straw.leave()
            await trio.lowlevel.checkpoint()
            troupe.note("is not cut short")

        asker = Asker(nursery, troupe["a"], Await(make_crash))
        await asker.left.wait()
        assert str(asker.error) == "a was restarted with c"
        await settle()
        assert troupe.journal == starts("abc")


async def test_a_handler_that_is_cut_short_may_make_another_crash_by_it() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await hire_all(troupe, "abc")
        # b waits for a, which breaks when b leaves, which it does when c crashes.
        asker = Asker(nursery, troupe["b"], Await(partial(troupe["a"].ask, Keep(fall))))
        await settle()
        await troupe["c"].tell(FALL)
        await asker.left.wait()
        await settle()
        assert str(asker.error).startswith("b was restarted with ")
        assert troupe.journal == starts("abc")
        assert [troupe[name].statistics().crashed for name in "abc"] == [1, 0, 1]


@pytest.mark.parametrize("when", ["constructor", "on_start"])
async def test_who_starts_again_on_one_that_crashes_meanwhile_starts_once_more(when: str) -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await troupe.hire(troupe.system.group(REST), "abc")
        last_straw = Asker(nursery, troupe["a"], Keep(fall))
        await settle()
        troupe.journal.clear()
        where = troupe.omens if when == "constructor" else troupe.faults
        where["b"] = [last_straw.leave]
        await troupe["b"].tell(FALL)
        await settle()
        assert troupe.journal[-3:] == starts("abc")
        assert troupe.instances["b"].life == troupe.lives["b"]


async def test_a_start_that_fails_takes_along_those_who_were_up_already() -> None:
    async with open_troupe() as troupe:
        await hire_all(troupe)
        troupe.faults["c"] = [fall, fall]
        with pytest.raises(ActorCrashed, match="a crashed"):
            await troupe["a"].ask(FALL)
        await settle()
        assert troupe.journal == [*starts("ab"), *starts("ab"), *starts("abc")]
        assert [troupe[name].statistics().crashed for name in "abc"] == [1, 0, 2]


async def test_a_crash_while_another_backs_off_waits_for_it_if_that_was_started_before() -> None:
    async with open_troupe() as troupe:
        await hire_all(troupe, restart=SLOW)
        await troupe["b"].tell(FALL)
        await trio.sleep(4)
        assert troupe.journal == starts("a")
        await troupe["a"].tell(FALL)
        await trio.sleep(9)
        # Time 13: b may start since 10, but a, before it, may not before 14.
        assert troupe.journal == starts("a")
        await trio.sleep(2)
        assert troupe.journal == [*starts("a"), *starts("abc")]
