"""Rule 5 in groups: which actors are restarted, in which order, and what each waits for."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorCrashed, ActorError, Restart, Strategy, System
from actors.testing import settle
from tests.actors.actors_in_groups import (
    CRASH,
    Await,
    Keep,
    Member,
    MembersInSystem,
    Say,
    Work,
    crash,
    open_members,
    starts,
)
from tests.actors.counter import Asker, Boom

pytestmark = pytest.mark.schedules


ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE


async def crash_and_settle(members: MembersInSystem, name: str) -> None:
    """Crash a member, and wait until all restarts are done."""
    members.journal.clear()
    with pytest.raises(ActorCrashed, match=f"{name} crashed"):
        await members[name].ask(CRASH)
    await settle()


@pytest.mark.parametrize(
    ("strategy", "crashed", "restarted"),
    [
        (ONE, "b", "b"),
        (ALL, "a", "abc"),
        (ALL, "b", "abc"),
        (ALL, "c", "abc"),
        (REST, "a", "abc"),
        (REST, "b", "bc"),
        (REST, "c", "c"),
    ],
    ids=str,
)
async def test_the_strategy_decides_which_restart_and_all_start_in_their_first_order(
    strategy: Strategy, crashed: str, restarted: str
) -> None:
    async with open_members() as members:
        await members.start(members.system, "x")
        await members.start(members.system.group(strategy), "abc")
        await members.start(members.system, "y")
        await crash_and_settle(members, crashed)
        assert members.journal == [f"{name} starts" for name in restarted]
        assert members.restarts() == restarted
        assert [ref.statistics().crashed for ref in members.refs.values()].count(1) == 1


@pytest.mark.parametrize(("strategy", "ended"), [(ALL, "bdca"), (REST, "bdc")], ids=str)
async def test_after_the_crashed_one_the_others_end_last_started_first(
    strategy: Strategy, ended: str
) -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system, "o")
        group = members.system.group(strategy)
        await members.start(group, "ab")
        await members.start(group.group(ONE), "cd")
        trigger = Asker(nursery, members["b"], Keep(crash))
        await settle()
        for name in "abcd":
            # o, outside the group, notes it at once when a handler in it is interrupted.
            kept = Keep(partial(Member.note, text=name))
            Asker(nursery, members[name], Await(partial(members["o"].ask, kept)))
        await settle()
        members.journal.clear()
        trigger.cancel()
        assert members.journal == [f"o {name}" for name in ended]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("crashed", "restarted"),
    [("x", "x"), ("a", "abcdy"), ("b", "bcdy"), ("c", "cd"), ("d", "cd"), ("y", "y")],
    ids=str,
)
async def test_a_group_stands_in_its_group_in_the_place_of_one_actor(
    crashed: str, restarted: str
) -> None:
    async with open_members() as members:
        await members.start(members.system, "x")
        outer = members.system.group(REST)
        await members.start(outer, "ab")
        inner = outer.group(ALL)
        await members.start(inner, "cd")
        await members.start(outer, "y")
        await crash_and_settle(members, crashed)
        assert members.journal == [f"{name} starts" for name in restarted]
        assert members.restarts() == "".join(sorted(restarted))


async def test_the_place_of_a_group_is_where_it_was_made_and_not_where_it_was_filled() -> None:
    async with open_members() as members:
        outer = members.system.group(REST)
        early = outer.group(ONE)
        await members.start(outer, "a")
        await members.start(early, "b")
        await crash_and_settle(members, "a")
        assert members.restarts() == "a"
        await crash_and_settle(members, "b")
        assert members.restarts() == "ab", "one for one in its own group"


async def test_three_groups_deep_only_the_innermost_restarts_for_its_own() -> None:
    async with open_members() as members:
        outer = members.system.group(ALL)
        await members.start(outer, "a")
        middle = outer.group(REST)
        await members.start(middle, "b")
        await members.start(middle.group(ALL), "cd")
        await members.start(middle, "e")
        await members.start(outer, "f")
        await crash_and_settle(members, "d")
        assert members.restarts() == "cd"
        await crash_and_settle(members, "b")
        assert members.restarts() == "bccdde"
        await crash_and_settle(members, "f")
        assert members.restarts() == "abbcccdddeef"
        assert members.journal == [f"{name} starts" for name in "abcdef"]


async def test_a_group_may_crash_again_and_again() -> None:
    async with open_members() as members:
        await members.start(members.system.group(ALL), "abc", Restart(limit=20))
        for name in "abccbacab":
            await crash_and_settle(members, name)
            assert members.journal == ["a starts", "b starts", "c starts"]
        assert members.restarts() == "a" * 9 + "b" * 9 + "c" * 9


async def test_an_actor_started_later_is_the_last_in_its_group() -> None:
    async with open_members() as members:
        group = members.system.group(REST)
        await members.start(group, "ab")
        members["a"].stop()
        await members["a"].wait_stopped()
        await members.start(group, "c")
        await crash_and_settle(members, "b")
        assert members.journal == ["b starts", "c starts"]
        await crash_and_settle(members, "c")
        assert members.journal == ["c starts"]


@pytest.mark.parametrize("strategy", list(Strategy), ids=str)
async def test_every_restart_is_logged_with_its_cause(
    strategy: Strategy, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_members() as members:
        await members.start(members.system.group(strategy), "ab")
        await crash_and_settle(members, "a")
    crashed, *restarted = caplog.records
    assert crashed.getMessage() == "a crashed"
    assert crashed.exc_info is not None
    assert crashed.exc_info[0] is Boom
    along = ["b was restarted, because of ActorCrashed('a crashed')"]
    assert [record.getMessage() for record in restarted] == [
        "a was restarted, because of Boom()",
        *([] if strategy is ONE else along),
    ]


@pytest.mark.parametrize(
    ("strategy", "crashed"),
    [(Strategy.ALL_FOR_ONE, "a"), (Strategy.REST_FOR_ONE, "a"), (Strategy.REST_FOR_ONE, "c")],
    ids=str,
)
async def test_a_member_that_is_not_blocked_is_up_again_before_its_asker_is_failed(
    strategy: Strategy, crashed: str
) -> None:
    async with open_members() as members:
        await members.start(members.system.group(strategy), "abc")
        with pytest.raises(ActorCrashed):
            await members[crashed].ask(CRASH)
        assert members[crashed].statistics().restarts == 1


@pytest.mark.parametrize("strategy", [Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE], ids=str)
async def test_a_newcomer_starts_when_those_before_it_are_up(strategy: Strategy) -> None:
    async with open_members() as members:
        group = members.system.group(strategy)
        await members.start(group, "a", Restart(backoff=10, jitter=0))
        await members["a"].tell(CRASH)
        await settle()
        await members.start(group.group(Strategy.ONE_FOR_ONE), "b")
        assert trio.current_time() == pytest.approx(10)
        assert members.journal == ["a starts", "a starts", "b starts"]


async def test_a_newcomer_in_a_one_for_one_group_starts_at_once() -> None:
    async with open_members() as members:
        group = members.system.group(Strategy.ONE_FOR_ONE)
        await members.start(group, "a", Restart(backoff=10, jitter=0))
        await members["a"].tell(CRASH)
        await settle()
        await members.start(group, "b")
        assert trio.current_time() == 0


async def test_a_newcomer_that_waits_is_refused_when_the_system_is_left() -> None:
    async def join(members: MembersInSystem, group: System) -> None:
        with pytest.raises(ActorError, match="being left"):
            await members.start(group, "b")

    async with trio.open_nursery() as outside:
        with trio.CancelScope() as block:
            async with open_members() as members:
                group = members.system.group(Strategy.ALL_FOR_ONE)
                await members.start(group, "a", Restart(backoff=10, jitter=0))
                await members["a"].tell(CRASH)
                outside.start_soon(join, members, group)
                await settle()
                assert members.journal == ["a starts"]
                block.cancel()


async def test_an_ask_cancelled_between_crash_and_restart_runs_no_callback() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(Strategy.ALL_FOR_ONE), "ab")
        trigger = Asker(nursery, members["a"], Keep(crash))
        leaver = Asker(nursery, members["b"], Keep(partial(Member.note, text="abandoned")))
        await settle()
        members.journal.clear()
        trigger.cancel()
        leaver.cancel()
        await settle()
        assert members.journal == ["a starts", "b starts"]


async def ask_shielded(members: MembersInSystem, name: str) -> None:
    """Ask another member, under a shield of an hour."""
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
        # a and b crash independently.
        trigger.cancel()
        await members["b"].tell(CRASH)
        await trio.sleep(59)
        assert members.restarts() == ""
        await trio.sleep(2)
        assert members.restarts() == "ab"
