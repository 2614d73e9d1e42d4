"""A crash in a group that coincides with another crash, a start, a turn or a cancellation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import outcome
import pytest
import trio
import trio.lowlevel

from actors import ActorCrashed, ActorStopped, Restart, Strategy
from actors.testing import settle
from tests.actors.actors_in_groups import (
    CRASH,
    Await,
    Do,
    Keep,
    Member,
    Say,
    Work,
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


async def test_a_turn_that_makes_another_crash_ends_before_its_own_restart() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        trigger = Asker(nursery, members["c"], Keep(crash))
        await settle()
        note = partial(members.note, "goes on")
        await members["a"].ask(and_then(trigger.cancel, note))
        await settle()
        assert members.journal == ["goes on", *starts("abc")]
        assert [members[name].statistics().crashed for name in "abc"] == [0, 0, 1]


async def test_a_turn_that_makes_another_crash_and_then_raises_is_a_crash_of_its_own() -> None:
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


async def test_a_handler_that_is_interrupted_may_make_another_crash_by_it() -> None:
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
async def test_a_member_is_started_again_if_one_before_it_crashes_during_its_start(
    when: str,
) -> None:
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


async def test_a_start_that_fails_restarts_members_that_were_up_already() -> None:
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


async def test_a_message_received_as_its_actor_is_stopped_is_handled_first_after_the_restart() -> (
    None
):
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(ALL), "ab")
        trigger = Asker(nursery, members["a"], Keep(crash))
        await settle()
        members.journal.clear()
        for number in range(3):
            # The first is handed to b, which waits for it; but before b runs it is stopped with a.
            members["b"].tell_nowait(Say(str(number)))
        trigger.cancel()
        assert members["b"].statistics().queued == 2
        await settle()
        assert members.journal == [
            *["a starts", "b starts"],
            *["b says 0", "b says 1", "b says 2"],
        ]


async def test_an_ask_received_as_its_actor_is_stopped_and_cancelled_is_settled() -> None:
    asked: list[Asker[str]] = []
    with trio.fail_after(100):
        async with trio.open_nursery() as outside:
            with trio.CancelScope() as block:
                async with open_members() as members:
                    await members.start(members.system.group(ALL), "ab", SLOW)
                    trigger = Asker(outside, members["a"], Keep(crash))
                    await settle()
                    asked.extend(Asker(outside, members["b"], Say()) for _ in range(3))
                    # In some schedules they have asked now, and b has not run since.
                    await trio.lowlevel.checkpoint()
                    trigger.cancel()
                    await settle()
                    block.cancel()
    for asker in asked:
        assert isinstance(asker.outcome, outcome.Value) or isinstance(asker.error, ActorStopped)


@pytest.mark.parametrize("first", ["abandoned", "crash"])
async def test_a_callback_that_waits_for_the_end_of_the_last_turn_never_runs(first: str) -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(ALL), "ab")
        # In a turn of a: its own asker is cancelled, and a crashes, by itself or by b.
        cancelled = Asker(nursery, members["a"], Keep(partial(Member.note, text="abandoned")))
        trigger = Asker(nursery, members["b"], Keep(crash))
        await settle()

        def last_turn(member: Member) -> None:
            if first == "crash":
                trigger.cancel()
                cancelled.cancel()
            else:
                cancelled.cancel()
                crash(member)

        await members["a"].tell(Do(last_turn))
        await settle()
        assert members.restarts() == "ab"
        # A turn that still waited would run with the next turn.
        await members["a"].ask(Do(lambda member: member.note("goes on")))
        await cancelled.done.wait()
        assert members.journal[-1] == "a goes on"
        assert "a abandoned" not in members.journal


async def test_a_crash_is_logged_as_the_cause_of_its_own_restart_also_if_another_crashes_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_members() as members:
        await members.start(members.system.group(ALL), "ab", SLOW)
        await members["b"].tell(CRASH)
        await trio.sleep(1)
        await members["a"].tell(CRASH)
        await trio.sleep(20)
    assert [line for line in caplog.messages if "was restarted" in line] == [
        "a was restarted, because of ActorCrashed('b crashed')",
        "a was restarted, because of Boom()",
        "b was restarted, because of Boom()",
    ]


async def test_an_asker_of_a_handler_that_unwinds_gets_the_first_crash_and_not_a_later_one() -> (
    None
):
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(Strategy.REST_FOR_ONE), "ab")
        trigger = Asker(nursery, members["b"], Keep(crash))
        await settle()
        worker = Asker(nursery, members["b"], Work(cleanup=5))
        await settle()
        trigger.cancel()
        await members["a"].tell(CRASH)
        await worker.done.wait()
        assert str(worker.error) == "b crashed"
        await settle()
        assert members.restarts() == "ab"


async def test_a_backoff_that_is_over_is_not_repeated_when_another_crashes() -> None:
    async with open_members() as members:
        group = members.system.group(ALL)
        await members.start(group, "a", SLOW)
        await members.start(group, "b")
        await members["a"].tell(CRASH)
        await trio.sleep(11)
        with pytest.raises(ActorCrashed):
            await members["b"].ask(CRASH)
        await settle()
        assert trio.current_time() == 11
        assert members.restarts() == "aabb"


async def test_the_asker_of_a_crashed_async_handler_is_failed_when_the_restart_is_recorded() -> (
    None
):
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        crash()

    async with open_members() as members:
        await members.start(members.system, "a")
        members.in_on_start["a"] = [crash] * 9
        with pytest.raises(ActorCrashed):
            await members["a"].ask(Await(fail))
        seen = members["a"].statistics()
        assert (seen.crashed, seen.restarts) == (10, 1)
