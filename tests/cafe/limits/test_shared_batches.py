"""The RateLimiter of a front, with the test as its calls of Redis: what goes with which call."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors import Ref, open_system
from cafe.limits.rate_limiter import (
    Admit,
    LiftBan,
    LimitExceeded,
    Limits,
    NotBanned,
    RateLimiter,
    RecordRefusals,
)
from cafe.limits.redis_calls import Batch
from cafe.limits.script import MICROSECONDS, Admitted, Answer, Outcome
from cafe.limits.shared import MOST_ASKED, MOST_REFUSED, SharedRateLimiter

pytestmark = pytest.mark.schedules

ADDRESS = "192.0.2.7"
OTHER = "192.0.2.8"
WIDTH = 60.0
ADMITTED = Admitted(Outcome.ADMITTED, 9, 0, 0)


class Calls:
    """In place of calls of Redis."""

    def __init__(self) -> None:
        self.shared = True
        self.rings = 0
        self.owner: Any = None

    def attach(self, owner: Any) -> None:
        self.owner = owner

    def ring(self) -> None:
        self.rings += 1


class FrontHere:
    """A RateLimiter, and what the test answers its calls with."""

    def __init__(self, calls: Calls, ref: Ref[RateLimiter], nursery: trio.Nursery) -> None:
        self.calls = calls
        self.outcomes: dict[str, str] = {}
        self.ref = ref
        self._nursery = nursery

    async def ask(self, name: str, address: str = ADDRESS) -> None:
        """Ask for admission in a task, and wait until that waits or is answered."""
        self._nursery.start_soon(self._ask, name, Admit(address, window="customers"))
        await wait_all_tasks_blocked()

    async def lift(self, address: str = ADDRESS) -> None:
        """Lift a ban in a task."""
        self._nursery.start_soon(self._ask, "lift", LiftBan(address))
        await wait_all_tasks_blocked()

    async def _ask(self, name: str, message: Any) -> None:
        try:
            await self.ref.ask(message)
        except LimitExceeded:
            self.outcomes[name] = "refused"
        except NotBanned:
            self.outcomes[name] = "not banned"
        else:
            self.outcomes[name] = "admitted"

    def take(self) -> Batch:
        batch: Batch = self.calls.owner.take(is_first=False)
        return batch

    async def settle(self, batch: Batch, **answer: Any) -> None:
        """Answer a call: all is admitted, and nothing was banned."""
        given: dict[str, Any] = {
            "revision": 1,
            "is_all": True,
            "bucket_left": round(WIDTH * MICROSECONDS),
            "addresses": 1,
            "news": [],
            "lifted": [False] * len(batch.lifts),
            "admitted": [ADMITTED] * len(batch.questions),
        }
        turn = partial(self.calls.owner.settle, batch, Answer(**{**given, **answer}))
        self.calls.owner.after(0, turn)
        await wait_all_tasks_blocked()

    async def go_on_alone(self) -> None:
        """Lose Redis."""
        self.calls.shared = False
        self.calls.owner.after(0, self.calls.owner.go_on_alone)
        await wait_all_tasks_blocked()


@asynccontextmanager
async def open_front(requests: int = 60) -> AsyncGenerator[FrontHere]:
    """Open a front that has Redis."""
    limits, calls = Limits(requests=requests, window_seconds=WIDTH), Calls()
    async with open_system() as system, trio.open_nursery() as nursery:
        make = partial(SharedRateLimiter, limits, cast("Any", calls))
        ref: Ref[RateLimiter] = await system.start(make, name="RateLimiter")
        yield FrontHere(calls, ref, nursery)
        nursery.cancel_scope.cancel()


async def test_a_call_asks_for_what_is_newer_than_the_last_answer() -> None:
    async with open_front() as front:
        assert front.take().call.seen == 0
        await front.settle(front.take(), revision=7)
        assert front.take().call.seen == 7


async def test_a_grant_ends_with_the_bucket_as_of_when_its_call_began() -> None:
    async with open_front() as front:
        await front.ask("first")
        batch = front.take()
        await trio.sleep(3.0)
        granted = [Admitted(Outcome.ADMITTED, 9, 0, 4)]
        await front.settle(batch, bucket_left=5 * MICROSECONDS, admitted=granted)
        await front.ask("of the grant")
        assert front.outcomes == {"first": "admitted", "of the grant": "admitted"}
        await trio.sleep(2.1)
        await front.ask("after it")
        assert "after it" not in front.outcomes


async def test_what_is_too_much_for_one_call_goes_with_the_next_and_that_is_rung_for() -> None:
    async with open_front() as front:
        for number in range(MOST_ASKED + 1):
            await front.ask(str(number), f"2001:db8::{number:x}")
        rings = front.calls.rings
        first, second = front.take(), front.take()
        assert (len(first.call.admits), len(second.call.admits)) == (MOST_ASKED, 1)
        assert front.calls.rings == rings + 1


async def test_refusals_are_rung_for_and_go_with_one_call_each() -> None:
    async with open_front() as front:
        counts = tuple((f"2001:db8::{number:x}", 2) for number in range(MOST_REFUSED + 1))
        await front.ref.ask(RecordRefusals(counts, "requests"))
        assert front.calls.rings == 1
        calls = [front.take().call.refusals for _ in range(3)]
        assert [len(one) for one in calls] == [MOST_REFUSED, 1, 0]
        assert tuple(counted for one in calls for counted in one) == counts


async def test_a_batch_is_settled_once() -> None:
    async with open_front() as front:
        await front.ask("asked")
        batch = front.take()
        await front.settle(batch)
        await front.settle(batch)
        await front.ask("next")
        await front.settle(front.take())
        assert front.outcomes == {"asked": "admitted", "next": "admitted"}
        assert front.ref.statistics().crashed == 0


async def test_without_redis_those_who_waited_longest_are_admitted_first() -> None:
    async with open_front(requests=3) as front:
        for names in ("ab", "cd", "e"):
            for name in names:
                await front.ask(name)
            if names != "e":
                front.take()
        await front.go_on_alone()
        assert {name for name, outcome in front.outcomes.items() if outcome == "admitted"} == {
            *"abc"
        }
        assert front.outcomes.keys() == {*"abcde"}


async def test_without_redis_who_lifts_a_ban_is_answered_also_if_that_was_under_way() -> None:
    async with open_front() as front:
        await front.lift()
        assert front.calls.rings == 1
        front.take()
        await front.lift(OTHER)
        assert front.outcomes == {}
        await front.go_on_alone()
        assert front.outcomes == {"lift": "not banned"}
        front.calls.shared = True
        assert sorted(front.take().call.lifts) == [ADDRESS, OTHER]


async def test_a_grant_that_was_asked_for_as_redis_went_away_is_asked_for_again() -> None:
    async with open_front() as front:
        for number in range(4):
            await front.ask(str(number))
        assert [one.wanted for one in front.take().call.admits] == [0, 0, 0, 1]
        await front.go_on_alone()
        front.calls.shared = True
        await front.ask("again")
        assert [one.wanted for one in front.take().call.admits] == [1]
