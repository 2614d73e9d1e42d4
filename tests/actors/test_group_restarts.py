"""The effect of a group's restart on asks, queues, handlers, replies and timers."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from actors import ActorCrashed, Ref, Restart, Strategy
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
)
from tests.actors.counter import Asker, Boom

pytestmark = pytest.mark.schedules


async def tell_of_life(ref: Ref[Member], made: list[str]) -> None:
    made.append(await ref.ask(Say()))


def check_restarted_with(asker: Asker[Any], name: str, other: str) -> None:
    error = asker.error
    assert type(error) is ActorCrashed
    assert (error.name, str(error)) == (name, f"{name} was restarted with {other}")
    crash = error.__cause__
    assert type(crash) is ActorCrashed
    assert (crash.name, str(crash)) == (other, f"{other} crashed")
    assert type(crash.__cause__) is Boom


async def test_replies_kept_by_other_members_are_failed_with_the_crash_as_cause() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        kept = {name: Asker(nursery, members[name], Keep()) for name in "abc" for _ in range(2)}
        await settle()
        await members["b"].tell(CRASH)
        await settle()
        check_restarted_with(kept["a"], "a", "b")
        check_restarted_with(kept["c"], "c", "b")
        assert str(kept["b"].error) == "b crashed"


async def test_each_asker_gets_an_error_of_its_own() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        kept = [Asker(nursery, members["a"], Keep()) for _ in range(9)]
        await settle()
        await members["b"].tell(CRASH)
        await settle()
        assert len({id(asker.error) for asker in kept}) == 9


async def test_queues_keep_their_order_in_a_restart_and_nothing_is_handled_twice() -> None:
    async with open_members() as members:
        await start_all(members)
        for number in range(200):
            for name in "abc":
                members[name].tell_nowait(Say(str(number)))
            if number % 50 == 20:
                members["cab"[number // 50 % 3]].tell_nowait(CRASH)
        await settle()
        for name in "abc":
            said = [line for line in members.journal if line.startswith(f"{name} says")]
            assert said == [f"{name} says {number}" for number in range(200)]
            assert members[name].statistics().handled == 200
        # A member that was not up yet at the next crash was restarted once for both.
        assert sum(ref.statistics().crashed for ref in members.refs.values()) == 4


async def test_a_ref_stays_the_same_and_reaches_the_new_instance() -> None:
    async with open_members() as members:
        await start_all(members)
        assert await members["c"].ask(Say("life ")) == "life 1"
        with pytest.raises(ActorCrashed):
            await members["a"].ask(CRASH)
        assert await members["c"].ask(Say("life ")) == "life 2"


async def test_an_ask_that_was_queued_before_the_crash_is_answered_after_it() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        working = Asker(nursery, members["c"], Work())
        await settle()
        queued = [Asker(nursery, members["c"], Say(str(number))) for number in range(5)]
        await settle()
        await members["a"].tell(CRASH)
        await settle()
        check_restarted_with(working, "c", "a")
        assert sorted(asker.answer for asker in queued) == [f"{number}2" for number in range(5)]


async def test_no_member_starts_before_the_last_handler_of_the_group_has_unwound() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members, "abcd")
        workers = {name: Asker(nursery, members[name], Work(cleanup=7)) for name in "ac"}
        await settle()
        members.journal.clear()
        crashing = Asker(nursery, members["b"], CRASH)
        await trio.sleep(6)
        assert members.journal == []
        assert {r.statistics().state for r in members.refs.values()} == {"restarting"}
        assert [asker.done.is_set() for asker in workers.values()] == [False, False]
        assert str(crashing.error) == "b crashed", (
            "an asker is not kept waiting by a handler of another member"
        )
        await trio.sleep(2)
        assert sorted(members.journal[:2]) == ["a unwound", "c unwound"]
        assert members.journal[2:] == [f"{name} starts" for name in "abcd"]
        for name, asker in workers.items():
            check_restarted_with(asker, name, "b")


@pytest.mark.parametrize("crashed", ["a", "b"])
async def test_replies_kept_beside_a_handler_that_unwinds_are_failed_at_once(crashed: str) -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        kept = Asker(nursery, members["a"], Keep())
        trigger = Asker(nursery, members[crashed], Keep(crash))
        await settle()
        worker = Asker(nursery, members["a"], Work(cleanup=7))
        await settle()
        trigger.cancel()
        await kept.done.wait()
        assert trio.current_time() == 0
        assert isinstance(kept.error, ActorCrashed)
        await worker.done.wait()
        assert trio.current_time() == 7


async def test_only_handlers_of_restarted_members_are_waited_for() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(Strategy.REST_FOR_ONE), "abc")
        worker = Asker(nursery, members["a"], Work(seconds=5))
        await settle()
        with pytest.raises(ActorCrashed):
            await members["b"].ask(CRASH)
        await settle()
        assert members.restarts() == "bc"
        await trio.sleep(6)
        assert worker.answer == "done1"


async def test_a_nested_group_waits_for_handlers_of_outer_members_restarted_with_it() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        outer = members.system.group(Strategy.ALL_FOR_ONE)
        await members.start(outer.group(Strategy.REST_FOR_ONE), "ab")
        await members.start(outer, "cd")
        Asker(nursery, members["d"], Work(cleanup=7))
        await settle()
        members.journal.clear()
        await members["c"].tell(CRASH)
        await trio.sleep(6)
        assert members.journal == []
        await trio.sleep(2)
        assert members.journal == ["d unwound", *(f"{name} starts" for name in "abcd")]


async def test_an_interrupted_handler_that_returns_nevertheless_answers() -> None:
    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(3)
        return "there"

    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        asker = Asker(nursery, members["c"], Await(stubborn))
        await settle()
        await members["a"].tell(CRASH)
        await asker.done.wait()
        assert asker.answer == "there"
        await settle()
        assert members.restarts() == "abc"
        assert members["c"].statistics().handled == 1


async def test_a_handler_that_fails_as_it_unwinds_is_logged_and_is_no_second_crash(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail_in_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            crash()

    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        asker = Asker(nursery, members["c"], Await(fail_in_the_end))
        await settle()
        await members["a"].tell(CRASH)
        await asker.done.wait()
        check_restarted_with(asker, "c", "a")
        assert members["c"].statistics().crashed == 0
    (record,) = [one for one in caplog.records if one.message == "c crashed as it unwound"]
    assert record.exc_info is not None
    assert record.exc_info[0] is Boom


async def test_an_ask_that_is_cancelled_while_the_handler_unwinds_ends_after_it() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        asker = Asker(nursery, members["c"], Work(cleanup=5))
        await settle()
        await members["a"].tell(CRASH)
        await trio.sleep(1)
        asker.cancel()
        await asker.done.wait()
        assert "c unwound" in members.journal
        assert trio.current_time() == 5
        await settle()
        assert members.restarts() == "abc"


async def test_timers_of_members_restarted_with_another_are_dropped() -> None:
    async with open_members() as members:
        await start_all(members)
        for name in "abc":
            await members[name].ask(
                Do(lambda member: member.every(1, partial(member.note, "tick")))
            )
        await members["b"].tell(CRASH)
        await settle()
        await trio.sleep(5)
        assert not any("tick" in line for line in members.journal)


async def test_no_callback_runs_on_an_instance_restarted_with_another() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        kept = [Asker(nursery, members[name], Keep(crash)) for name in "aabbcc"]
        await settle()

        def leave_all(_player: Member) -> None:
            for asker in kept:
                asker.cancel()

        await members["b"].ask(Do(leave_all))
        await settle()
        # One callback has crashed its actor; the others belonged to instances stopped with it.
        assert sum(ref.statistics().crashed for ref in members.refs.values()) == 1
        assert members.restarts() == "abc"
        nursery.cancel_scope.cancel()


ALL = Strategy.ALL_FOR_ONE


async def test_the_asker_of_an_interrupted_handler_gets_the_crash_though_its_actor_stops() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system.group(ALL), "ab")
        worker = Asker(nursery, members["b"], Work(cleanup=5))
        await settle()
        await members["a"].tell(CRASH)
        await trio.sleep(1)
        members["b"].stop()
        await worker.done.wait()
        assert type(worker.error) is ActorCrashed


async def test_a_stopped_member_has_an_empty_queue() -> None:
    stopped: list[Ref[Member]] = []

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as block:
            async with open_members() as members:
                group = members.system.group(ALL)
                await members.start(group, "ab", Restart(backoff=10))
                trigger = Asker(nursery, members["a"], Keep(crash))
                await settle()
                # b has received the message, but does not handle it, as it is stopped with a.
                members["b"].tell_nowait(Say())
                trigger.cancel()
                await settle()
                stopped.append(members["b"])
                block.cancel()
        assert stopped[0].statistics().state == "stopped"
        assert stopped[0].statistics().queued == 0
