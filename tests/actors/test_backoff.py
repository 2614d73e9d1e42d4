"""Restart's backoff: how long a crashed actor is down, and what it can be sent meanwhile."""

from __future__ import annotations

import math

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors import ActorCrashed, ActorStopped, Restart, RestartLimitExceeded, Strategy
from actors.restart import Budget
from actors.testing import settle
from tests.actors.actors_in_groups import CRASH, Keep, Say, Work, crash, nothing, open_members
from tests.actors.counter import Asker

PLAIN = Restart(limit=9, within=1000, backoff=10, jitter=0)

# So far above zero that `longest` ends the doubling, not the range of a float.
seconds = st.just(0.0) | st.floats(min_value=1e-9, max_value=1e6)


@given(st.integers(1, 80), seconds, seconds, st.floats(0, 1))
def test_a_backoff_is_doubled_up_to_the_longest_and_shortened_by_its_jitter_at_most(
    crashes: int, backoff: float, longest: float, jitter: float
) -> None:
    budget = Budget("a", Restart(limit=80, backoff=backoff, longest=longest, jitter=jitter))
    waits = [budget.spend(0) for _ in range(crashes)]
    full = [min(longest, backoff * 2**number) for number in range(crashes)]
    for wait, most in zip(waits, full, strict=True):
        assert most * (1 - jitter) <= wait <= most


@given(st.lists(st.floats(0, 100), max_size=60), st.integers(0, 9), st.floats(0.1, 50))
def test_only_crashes_within_the_window_count(
    times: list[float], limit: int, within: float
) -> None:
    restart = Restart(limit=limit, within=within, backoff=1, longest=math.inf, jitter=0)
    budget = Budget("a", restart)
    times.sort()
    for number, now in enumerate(times):
        counted = sum(time > now - within for time in times[: number + 1])
        if counted > limit:
            with pytest.raises(RestartLimitExceeded):
                budget.spend(now)
        else:
            assert budget.spend(now) == 2.0 ** (counted - 1)


def test_jitter_makes_waits_differ() -> None:
    waits = {Budget("a", Restart(backoff=10)).spend(0) for _ in range(50)}
    assert len(waits) > 25
    assert all(5 <= wait <= 10 for wait in waits)


@pytest.mark.parametrize(
    "wrong",
    [
        {"backoff": -1},
        {"backoff": math.nan},
        {"backoff": math.inf},
        {"longest": -1},
        {"longest": math.nan},
        {"jitter": -0.1},
        {"jitter": 1.1},
        {"jitter": math.nan},
        {"jitter": math.inf},
        {"within": 0},
        {"within": -1},
        {"within": math.nan},
        {"limit": -1},
        {"limit": math.nan},
    ],
    ids=str,
)
def test_a_restart_with_impossible_values_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no actor can"):
        Restart(**wrong)  # type: ignore[arg-type]  # a limit that is no int, too


@pytest.mark.parametrize(
    "just",
    [{"limit": 0}, {"backoff": 0}, {"longest": 0}, {"longest": math.inf}, {"jitter": 1}],
    ids=str,
)
def test_a_restart_may_have_extreme_values(just: dict[str, float]) -> None:
    restart = Restart(**just)  # type: ignore[arg-type]  # the limit is an int
    assert {name: getattr(restart, name) for name in just} == just


def test_window_and_longest_backoff_may_be_infinite() -> None:
    budget = Budget("a", Restart(limit=2, within=math.inf, backoff=1, longest=math.inf, jitter=0))
    assert [budget.spend(0), budget.spend(1e9)] == [1, 2]
    with pytest.raises(RestartLimitExceeded, match="more than 2 times within inf s"):
        budget.spend(1e18)


@pytest.mark.schedules
async def test_each_crash_that_counts_doubles_the_wait_until_the_window_has_passed() -> None:
    restart = Restart(limit=9, within=200, backoff=10, longest=30, jitter=0)
    async with open_members() as members:
        await members.start(members.system, "a", restart)
        for wait in (10, 20, 30, 30):
            members["a"].tell_nowait(CRASH)
            before = trio.current_time()
            await members["a"].ask(Say())
            assert trio.current_time() - before == pytest.approx(wait)
        await trio.sleep(300)
        members["a"].tell_nowait(CRASH)
        before = trio.current_time()
        await members["a"].ask(Say())
        assert trio.current_time() - before == pytest.approx(10)


@pytest.mark.schedules
async def test_a_crash_fails_its_asker_at_once_and_asks_during_the_backoff_are_answered_after() -> (
    None
):
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system, "a", PLAIN)
        kept = Asker(nursery, members["a"], Keep())
        await settle()
        with pytest.raises(ActorCrashed):
            await members["a"].ask(CRASH)
        await kept.done.wait()
        assert str(kept.error) == "a crashed"
        assert trio.current_time() == 0
        asking = [Asker(nursery, members["a"], Say(str(number))) for number in range(3)]
        cancelled = Asker(nursery, members["a"], Say("never"), within=3)
        await trio.sleep(9)
        assert cancelled.outcome is None
        seen = members["a"].statistics()
        assert (seen.state, seen.queued, seen.restarts) == ("restarting", 4, 0)
        await trio.sleep(2)
        assert sorted(asker.answer for asker in asking) == ["02", "12", "22"]
        seen = members["a"].statistics()
        assert (seen.state, seen.queued, seen.restarts, seen.skipped) == ("running", 0, 1, 1)
        assert "a says never" not in members.journal


@pytest.mark.schedules
async def test_a_full_mailbox_makes_senders_wait_during_a_backoff_and_loses_nothing() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system, "a", PLAIN)
        await members["a"].tell(CRASH)
        asking = [Asker(nursery, members["a"], Say(str(number))) for number in range(400)]
        await trio.sleep(11)
        assert sorted(int(asker.answer[:-1]) for asker in asking) == list(range(400))


@pytest.mark.schedules
async def test_a_start_that_fails_counts_and_doubles_the_wait() -> None:
    async with open_members() as members:
        await members.start(members.system, "a", Restart(limit=9, within=99, backoff=10, jitter=0))
        members.in_constructor["a"] = [nothing, crash]
        members.in_on_start["a"] = [crash]
        with pytest.raises(ActorCrashed):
            await members["a"].ask(CRASH)
        for now, state, crashed in ((9, "restarting", 1), (29, "restarting", 2)):
            await trio.sleep(now - trio.current_time())
            seen = members["a"].statistics()
            assert (seen.state, seen.crashed) == (state, crashed)
        await trio.sleep(30)
        seen = members["a"].statistics()
        assert (seen.state, seen.crashed, seen.restarts) == ("restarting", 3, 0)
        await trio.sleep(2)
        assert members["a"].statistics().restarts == 1


@pytest.mark.schedules
async def test_an_actor_stopped_in_its_backoff_with_nothing_queued_ends_at_once() -> None:
    async with open_members() as members:
        await members.start(members.system, "a", PLAIN)
        await members["a"].tell(CRASH)
        await settle()
        members["a"].stop()
        await members["a"].wait_stopped()
        assert trio.current_time() == 0
        with pytest.raises(ActorStopped):
            await members["a"].ask(Say())
        assert members.journal == ["a starts"], "no on_stop of a crashed instance"


@pytest.mark.schedules
async def test_an_actor_that_crashes_after_its_stop_with_nothing_queued_ends_at_once() -> None:
    async with open_members() as members:
        await members.start(members.system, "a", PLAIN)
        members["a"].tell_nowait(CRASH)
        members["a"].stop()
        await members["a"].wait_stopped()
        assert trio.current_time() == 0


@pytest.mark.schedules
async def test_an_actor_stopped_in_its_backoff_restarts_for_what_is_queued() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system, "a", PLAIN)
        await members["a"].tell(CRASH)
        asker = Asker(nursery, members["a"], Say())
        await settle()
        members["a"].stop()
        await members["a"].wait_stopped()
        await asker.done.wait()
        assert asker.answer == "2"
        assert trio.current_time() == 10


@pytest.mark.schedules
async def test_the_block_that_is_left_during_a_backoff_waits_no_longer_than_the_grace() -> None:
    async with trio.open_nursery() as outside:
        async with open_members(grace=4) as members:
            await members.start(members.system.group(Strategy.ALL_FOR_ONE), "abc", PLAIN)
            await members["b"].tell(CRASH)
            asking = [Asker(outside, members[name], Say(name)) for name in "abc"]
            await settle()
        assert trio.current_time() == 4
        await settle()
        assert asking[0].answer == "a2"
        assert [str(asker.error) for asker in asking[1:]] == ["b has stopped", "c has stopped"]


@pytest.mark.schedules
async def test_the_block_that_is_cancelled_during_a_backoff_is_left_at_once() -> None:
    async with trio.open_nursery() as outside:
        asking: list[Asker[str]] = []
        with trio.move_on_after(3):
            async with open_members() as members:
                await members.start(members.system.group(Strategy.ALL_FOR_ONE), "abc", PLAIN)
                await members["a"].tell(CRASH)
                asking += [Asker(outside, members[name], Say(name)) for name in "abc"]
                await trio.sleep_forever()
        assert trio.current_time() == 3
        await settle()
        assert all(isinstance(asker.error, ActorStopped) for asker in asking)


@pytest.mark.schedules
async def test_a_backoff_begins_when_the_async_handler_has_unwound() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system, "a", PLAIN)
        trigger = Asker(nursery, members["a"], Keep(crash))
        await settle()
        worker = Asker(nursery, members["a"], Work(cleanup=5))
        await settle()
        trigger.cancel()
        await worker.done.wait()
        assert trio.current_time() == 5
        assert await members["a"].ask(Say()) == "2"
        assert trio.current_time() == 15
