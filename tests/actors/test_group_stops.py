"""Groups, as some of them stop while others crash."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorStopped, Restart, Strategy
from actors.testing import settle
from tests.actors.actors_in_groups import (
    CRASH,
    Await,
    Say,
    Work,
    open_members,
    start_all,
    starts,
)
from tests.actors.counter import Asker

pytestmark = pytest.mark.schedules

ALL, REST = Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE
SLOW = Restart(limit=9, within=100, backoff=10, jitter=0)


@pytest.mark.parametrize("stopped", ["a", "b", "c"])
async def test_who_is_stopped_while_the_group_restarts_holds_up_nobody(stopped: str) -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        Asker(nursery, members["b"], Work(cleanup=5))
        await settle()
        await members["a"].tell(CRASH)
        await trio.sleep(1)
        members[stopped].stop()
        await trio.sleep(5)
        left = "abc".replace(stopped, "")
        assert members.journal == ["b unwound", *starts(left)]
        assert members[stopped].statistics().state == "stopped"


async def test_who_has_stopped_or_is_stopping_idly_is_not_restarted_with_the_others() -> None:
    async with open_members() as members:
        await start_all(members, "abcd")
        members["b"].stop()
        await members["b"].wait_stopped()
        await members["d"].tell(CRASH)
        await settle()
        assert members.journal == ["b stops", *starts("acd")]


async def test_who_is_stopping_with_work_to_do_is_restarted_for_it() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        await start_all(members)
        working = Asker(nursery, members["b"], Work())
        await settle()
        queued = [Asker(nursery, members["b"], Say()) for _ in range(3)]
        await settle()
        members["b"].stop()
        await members["a"].tell(CRASH)
        await members["b"].wait_stopped()
        await settle()
        assert str(working.error) == "b was restarted with a"
        assert [asker.answer for asker in queued] == ["2"] * 3
        assert sorted(members.journal) == sorted(
            ["b unwound", *starts("abc"), *["b says "] * 3, "b stops"]
        )


async def test_who_crashes_as_he_stops_takes_the_others_along() -> None:
    async with open_members() as members:
        await start_all(members)
        members["b"].tell_nowait(CRASH)
        members["b"].tell_nowait(Say())
        members["b"].stop()
        await members["b"].wait_stopped()
        await settle()
        assert members.restarts() == "abc"
        assert "b says " in members.journal


async def test_a_crash_as_the_block_is_left_is_survived_by_what_is_queued() -> None:
    asks: list[Asker[str]] = []
    async with trio.open_nursery() as outside, open_members() as members:
        await start_all(members)
        for name in "abc":
            await members[name].tell(Await(partial(trio.sleep, 1)))
        await settle()
        for name in "abc":
            members[name].tell_nowait(CRASH)
            asks += [Asker(outside, members[name], Say(name)) for _ in range(3)]
        await settle()
    assert [asker.answer[0] for asker in asks] == list("aaabbbccc")
    assert trio.current_time() < 5


async def test_unwinding_that_takes_longer_than_the_grace_is_waited_for() -> None:
    async with trio.open_nursery() as outside, open_members(grace=2) as members:
        await start_all(members)
        working = Asker(outside, members["b"], Work(cleanup=60))
        await settle()
        await members["a"].tell(CRASH)
        await settle()
        queued = Asker(outside, members["c"], Say())
        await settle()
    assert trio.current_time() == 60
    assert isinstance(queued.error, ActorStopped), "c had its two seconds"
    assert working.done.is_set()
    assert members.journal[0] == "b unwound"
    assert "c starts" not in members.journal
