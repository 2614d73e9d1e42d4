"""A crash in a group that falls together with another, a start, a stop, or the end of it all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import trio
import trio.lowlevel

from actors import ActorCrashed, Restart, Strategy
from actors.testing import settle
from tests.actors.actors_in_groups import (
    CRASH,
    Await,
    Do,
    Keep,
    Say,
    crash,
    open_members,
    start_all,
    starts,
)
from tests.actors.counter import Asker

pytestmark = pytest.mark.schedules

ALL, REST = Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE
SLOW = Restart(limit=9, within=100, backoff=10, jitter=0)


def and_then(*steps: Callable[[], object]) -> Do:
    """Do several things in one turn."""
    return Do(lambda _: [step() for step in steps])


@pytest.mark.parametrize("strategy", [ALL, REST], ids=str)
async def test_two_may_crash_in_the_same_pass(strategy: Strategy) -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(strategy), "abc")
        crashing = [Asker(nursery, members[name], CRASH) for name in "abc"]
        asking = [Asker(nursery, members[name], Say(name)) for name in "abc"]
        await settle()
        assert [str(asker.error) for asker in crashing] == ["a crashed", "b crashed", "c crashed"]
        assert [asker.answer[0] for asker in asking] == ["a", "b", "c"]
        assert [members[name].statistics().crashed for name in "abc"] == [1, 1, 1]


async def test_who_makes_another_crash_in_his_turn_ends_it_and_is_restarted_too() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        trigger = Asker(nursery, members["c"], Keep(crash))
        await settle()
        note = partial(members.note, "goes on")
        await members["a"].ask(and_then(trigger.cancel, note))
        await settle()
        assert members.journal == ["goes on", *starts("abc")]
        assert [members[name].statistics().crashed for name in "abc"] == [0, 0, 1]


async def test_who_makes_another_crash_and_then_crashes_himself_has_crashed() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        trigger = Asker(nursery, members["c"], Keep(crash))
        await settle()
        with pytest.raises(ActorCrashed, match="a crashed"):
            await members["a"].ask(and_then(trigger.cancel, crash))
        await settle()
        assert members.journal == starts("abc")
        assert [members[name].statistics().crashed for name in "abc"] == [1, 0, 1]


async def test_a_reply_taken_on_in_the_turn_that_makes_another_crash_is_failed() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        trigger = Asker(nursery, members["b"], Keep(crash))
        kept = Asker(nursery, members["a"], Keep())
        await settle()
        await members["a"].ask(and_then(trigger.cancel))
        await kept.done.wait()
        assert str(kept.error) == "a was restarted with b"


async def test_an_async_handler_may_make_another_of_its_group_crash() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        trigger = Asker(nursery, members["c"], Keep(crash))
        await settle()

        async def make_crash() -> None:
            trigger.cancel()
            await trio.lowlevel.checkpoint()
            members.note("is not cut short")

        asker = Asker(nursery, members["a"], Await(make_crash))
        await asker.done.wait()
        assert str(asker.error) == "a was restarted with c"
        await settle()
        assert members.journal == starts("abc")


async def test_a_handler_that_is_cut_short_may_make_another_crash_by_it() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members, "abc")
        # b waits for a, which breaks when b leaves, which it does when c crashes.
        asker = Asker(nursery, members["b"], Await(partial(members["a"].ask, Keep(crash))))
        await settle()
        await members["c"].tell(CRASH)
        await asker.done.wait()
        await settle()
        assert str(asker.error).startswith("b was restarted with ")
        assert members.journal == starts("abc")
        assert [members[name].statistics().crashed for name in "abc"] == [1, 0, 1]


@pytest.mark.parametrize("when", ["constructor", "on_start"])
async def test_who_starts_again_on_one_that_crashes_meanwhile_starts_once_more(when: str) -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(REST), "abc")
        trigger = Asker(nursery, members["a"], Keep(crash))
        await settle()
        members.journal.clear()
        where = members.in_constructor if when == "constructor" else members.in_on_start
        where["b"] = [trigger.cancel]
        await members["b"].tell(CRASH)
        await settle()
        assert members.journal[-3:] == starts("abc")
        assert members.instances["b"].number == members.made["b"]


async def test_a_start_that_fails_takes_along_those_who_were_up_already() -> None:
    async with open_members() as members:
        await start_all(members)
        members.in_on_start["c"] = [crash, crash]
        with pytest.raises(ActorCrashed, match="a crashed"):
            await members["a"].ask(CRASH)
        await settle()
        assert members.journal == [*starts("ab"), *starts("ab"), *starts("abc")]
        assert [members[name].statistics().crashed for name in "abc"] == [1, 0, 2]


async def test_a_crash_while_another_backs_off_waits_for_it_if_that_was_started_before() -> None:
    async with open_members() as members:
        await start_all(members, restart=SLOW)
        await members["b"].tell(CRASH)
        await trio.sleep(4)
        assert members.journal == starts("a")
        await members["a"].tell(CRASH)
        await trio.sleep(9)
        # Time 13: b may start since 10, but a, before it, may not before 14.
        assert members.journal == starts("a")
        await trio.sleep(2)
        assert members.journal == [*starts("a"), *starts("abc")]
