"""The narrow places of a crash: what was on its way, in hand or noted down as it came."""

from __future__ import annotations

from functools import partial

import outcome
import pytest
import trio

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
)
from tests.actors.counter import Asker

pytestmark = pytest.mark.schedules

ALL = Strategy.ALL_FOR_ONE
SLOW = Restart(limit=9, within=100, backoff=10, jitter=0)


async def test_a_message_in_hand_as_its_actor_falls_is_handled_first_after_the_restart() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(ALL), "ab")
        trigger = Asker(nursery, members["a"], Keep(crash))
        await settle()
        members.journal.clear()
        for number in range(3):
            # The first is handed to b, who waits for it; but before b runs it falls with a.
            members["b"].tell_nowait(Say(str(number)))
        trigger.cancel()
        assert members["b"].statistics().queued == 2
        await settle()
        assert members.journal == [
            *["a starts", "b starts"],
            *["b says 0", "b says 1", "b says 2"],
        ]


async def test_an_ask_in_hand_as_its_actor_falls_and_is_cancelled_is_settled() -> None:
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
        # In a turn of a: its own asker goes, and a falls, by itself or by b.
        gone = Asker(nursery, members["a"], Keep(partial(Member.note, text="minds")))
        trigger = Asker(nursery, members["b"], Keep(crash))
        await settle()

        def last_turn(member: Member) -> None:
            if first == "crash":
                trigger.cancel()
                gone.cancel()
            else:
                gone.cancel()
                crash(member)

        await members["a"].tell(Do(last_turn))
        await settle()
        assert members.restarts() == "ab"
        # Whatever waited would run with the next turn.
        await members["a"].ask(Do(lambda member: member.note("goes on")))
        await gone.done.wait()
        assert members.journal[-1] == "a goes on"
        assert "a minds" not in members.journal


async def test_who_has_crashed_is_not_said_to_be_restarted_with_another_that_does_later(
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


async def test_who_unwinds_after_a_crash_hears_of_that_one_and_not_of_a_later_one() -> None:
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


async def test_a_backoff_that_is_over_is_not_waited_for_when_another_crashes() -> None:
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


async def test_the_asker_of_an_async_handler_that_crashed_hears_when_the_restart_is_recorded() -> (
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
