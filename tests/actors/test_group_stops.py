"""Groups, as some of them stop while others crash."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorStopped, Restart, Strategy
from actors.testing import settle
from tests.actors.cast import Asker
from tests.actors.test_group_collisions import hire_all
from tests.actors.troupe import (
    FALL,
    Await,
    Say,
    Work,
    open_troupe,
)

pytestmark = pytest.mark.schedules

ALL, REST = Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE
SLOW = Restart(limit=9, within=100, backoff=10, jitter=0)


def starts(names: str) -> list[str]:
    return [f"{name} starts" for name in names]


@pytest.mark.parametrize("stopped", ["a", "b", "c"])
async def test_who_is_stopped_while_the_group_restarts_holds_up_nobody(stopped: str) -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await hire_all(troupe)
        Asker(nursery, troupe["b"], Work(tidying=5))
        await settle()
        await troupe["a"].tell(FALL)
        await trio.sleep(1)
        troupe[stopped].stop()
        await trio.sleep(5)
        left = "abc".replace(stopped, "")
        assert troupe.journal == ["b unwound", *starts(left)]
        assert troupe[stopped].statistics().state == "stopped"


async def test_who_has_stopped_or_is_stopping_idly_is_not_restarted_with_the_others() -> None:
    async with open_troupe() as troupe:
        await hire_all(troupe, "abcd")
        troupe["b"].stop()
        await troupe["b"].wait_stopped()
        await troupe["d"].tell(FALL)
        await settle()
        assert troupe.journal == ["b stops", *starts("acd")]


async def test_who_is_stopping_with_work_to_do_is_restarted_for_it() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await hire_all(troupe)
        working = Asker(nursery, troupe["b"], Work())
        await settle()
        queued = [Asker(nursery, troupe["b"], Say()) for _ in range(3)]
        await settle()
        troupe["b"].stop()
        await troupe["a"].tell(FALL)
        await troupe["b"].wait_stopped()
        await settle()
        assert str(working.error) == "b was restarted with a"
        assert [asker.answer for asker in queued] == ["2"] * 3
        assert sorted(troupe.journal) == sorted(
            ["b unwound", *starts("abc"), *["b says "] * 3, "b stops"]
        )


async def test_who_crashes_as_he_stops_takes_the_others_along() -> None:
    async with open_troupe() as troupe:
        await hire_all(troupe)
        troupe["b"].tell_nowait(FALL)
        troupe["b"].tell_nowait(Say())
        troupe["b"].stop()
        await troupe["b"].wait_stopped()
        await settle()
        assert troupe.restarts() == "abc"
        assert "b says " in troupe.journal


async def test_a_crash_as_the_block_is_left_is_survived_by_what_is_queued() -> None:
    asks: list[Asker[str]] = []
    async with trio.open_nursery() as outside, open_troupe() as troupe:
        await hire_all(troupe)
        for name in "abc":
            await troupe[name].tell(Await(partial(trio.sleep, 1)))
        await settle()
        for name in "abc":
            troupe[name].tell_nowait(FALL)
            asks += [Asker(outside, troupe[name], Say(name)) for _ in range(3)]
        await settle()
    assert [asker.answer[0] for asker in asks] == list("aaabbbccc")
    assert trio.current_time() < 5


async def test_unwinding_that_takes_longer_than_the_grace_is_waited_for() -> None:
    async with trio.open_nursery() as outside, open_troupe(grace=2) as troupe:
        await hire_all(troupe)
        working = Asker(outside, troupe["b"], Work(tidying=60))
        await settle()
        await troupe["a"].tell(FALL)
        await settle()
        queued = Asker(outside, troupe["c"], Say())
        await settle()
    assert trio.current_time() == 60
    assert isinstance(queued.error, ActorStopped), "c had its two seconds"
    assert working.left.is_set()
    assert troupe.journal[0] == "b unwound"
    assert "c starts" not in troupe.journal
